"""Refusals of requests that no view can read: what the web server itself refuses, told in the words of the house.

A server that cannot read a request, or whose answer failed before its first byte, asks the application to say so: it
calls it with the problem under `REFUSED` in the environ, and with as much of the request as could be read.
"""

from __future__ import annotations

from kernel.base.errors import Problem, _
from kernel.http.incoming import REFUSED as REFUSED
from kernel.http.incoming import Incoming


class TargetTooLong(Problem):
    kind = "address-too-long"
    status = 414
    title = _("The address is too long")
    explanation = _("The address, with its parameters, is longer than is accepted here: about 8,000 characters.")
    remedy = _("Shorten the address; send what does not fit in the body of the request.")
    oauth_error = "invalid_request"


class FieldsTooLarge(Problem):
    kind = "headers-too-large"
    status = 431
    title = _("The headers of the request are too large")
    explanation = _("A header is longer than 8,190 characters, or there are more than 100 of them.")
    remedy = _("Send shorter or fewer headers. In a browser, deleting this site's cookies helps.")
    oauth_error = "invalid_request"


class UnknownExpectation(Problem):
    kind = "unknown-expectation"
    status = 417
    title = _("We cannot promise what the request expects")
    explanation = _("The Expect header asks for something other than 100-continue.")
    remedy = _("Leave the Expect header out.")
    oauth_error = "invalid_request"


class UnknownTransferCoding(Problem):
    kind = "unknown-transfer-coding"
    status = 501
    title = _("The body uses a transfer coding that is not known here")
    explanation = _("The only transfer coding understood is chunked, by itself. None of the body was read.")
    remedy = _("Send the body as it is, with its length or chunked.")
    oauth_error = "invalid_request"


class AmbiguousHeader(Problem):
    kind = "ambiguous-header"
    status = 400
    title = _("A header has an underscore in its name")
    explanation = _(
        "Many programs take X_A and X-A for the same header, so one of them would be believed that nobody has checked."
        " The request was not passed on."
    )
    remedy = _("Write the name of the header with hyphens.")


def refuse_what_cannot_be_read(incoming: Incoming) -> None:
    """The first duty: no other one has to look at a request that is refused. Raises Problem."""
    refused: Problem | None = incoming.refused
    if refused is not None:
        raise refused
    # RFC 9112 6.1: a server that does not understand a transfer coding answers 501, and does not pass the body on.
    coding = incoming.header("Transfer-Encoding")
    if incoming.has_header("Transfer-Encoding") and coding.strip(" \t").lower() != "chunked":
        raise UnknownTransferCoding(log=coding[:100])
