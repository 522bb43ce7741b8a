"""Problems: what went wrong, in one class each, with what the caller may read kept apart from what only the log reads.

Raise a `Problem` subclass anywhere; `kernel.http.problems` renders it (RFC 9457, a page, or OAuth's words). This module
is pure: rules may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from flask_babel import LazyString, lazy_gettext, lazy_pgettext
from flask_babel import lazy_ngettext as lazy_ngettext

_ = lazy_gettext
in_context = lazy_pgettext
"""`in_context("agreement", "Refused")`: for English that is one word where Spanish has several."""
Text: TypeAlias = str | LazyString
"""A text that a person reads: translated when it is shown."""


@dataclass(frozen=True)
class Words:
    """A problem in a reader's words: what happened, why, and what to do now."""

    title: Any
    explanation: Any
    remedy: Any


class Problem(Exception):
    """The root of everything that a caller may have done, or met, wrong.

    detail: a sentence that the caller may read. log: what only the log reads. fields: messages by the name of the
    input they belong to.
    """

    kind: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[Any] = _("Something went wrong on our side")
    explanation: ClassVar[Any] = _("An unexpected error. It has been recorded and nothing was changed.")
    remedy: ClassVar[Any] = _("Try again. If it happens again, tell us the request number.")
    for_people: ClassVar[Words | None] = None
    """The words for a page, if those above are for programs and their developers."""
    is_detail_for_developers: ClassVar[bool] = False
    """Whether `detail` speaks of the protocol; a page then keeps it apart, for those who run the application."""
    audit_tag: ClassVar[str | None] = None
    """The tag of the audit record that the refusal leaves, if it is set."""
    oauth_error: ClassVar[str] = "server_error"
    """The problem's code in the words of RFC 6749 5.2."""

    def __init__(
        self,
        detail: str | Any = "",
        *,
        log: str = "",
        fields: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(log or (detail if isinstance(detail, str) else "") or self.kind)
        self.detail = detail
        self.log = log
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})

    @classmethod
    def page_words(cls) -> Words:
        """The words for a person who meets the problem on a page: those of the nearest class that has words."""
        nearest = next(kin for kin in cls.__mro__ if not {"for_people", "explanation"}.isdisjoint(vars(kin)))
        words: Words | None = vars(nearest).get("for_people")
        return words or Words(cls.title, cls.explanation, cls.remedy)


class Internal(Problem):
    """The root itself, under the name that its page has."""


class Invalid(Problem):
    kind = "invalid"
    status = 422
    title = _("Some of the data must be corrected")
    explanation = _("One or more fields are missing or have a value that is not accepted.")
    remedy = _("Correct the fields named and send it again. Nothing was stored.")
    oauth_error = "invalid_request"


class BadRequest(Problem):
    kind = "bad-request"
    status = 400
    title = _("The request cannot be understood")
    explanation = _("The request is malformed: its body, its headers or its address are not what is expected here.")
    remedy = _("Check the request against the documentation of the interface.")
    for_people = Words(
        _("We did not understand that"),
        _("What arrived here is not complete, or the link that brought you is broken. Nothing was changed."),
        _("Go back and try again. If a link brought you here, ask for a new one where you found it."),
    )
    is_detail_for_developers = True
    oauth_error = "invalid_request"


class StaleForm(Problem):
    kind = "stale-form"
    status = 400
    title = _("This form is no longer valid")
    explanation = _("You have signed in or out since the page was opened, or the browser keeps no cookies.")
    remedy = _("Go back, reload the page and send the form again.")
    oauth_error = "invalid_request"


class SentByAnotherSite(Problem):
    kind = "sent-by-another-site"
    status = 403
    title = _("This was sent by another site")
    explanation = _("A page on another site made your browser send this. Nothing has been done.")
    remedy = _("Open the page here, and send the form yourself if that is what you want.")
    audit_tag = "access:refused"
    oauth_error = "access_denied"


class SignInRequired(Problem):
    kind = "sign-in-required"
    status = 401
    title = _("Sign in to go on")
    explanation = _("You need to be signed in, or the access token is missing or no longer valid.")
    remedy = _("Sign in, or ask for a new access token.")
    for_people = Words(
        _("Sign in to go on"),
        _("This page is only for people who have signed in, or your session has ended."),
        _("Sign in, and do again what you wanted to do."),
    )
    oauth_error = "invalid_token"
    sign_in_endpoint: str = ""
    """The page that a browser is sent to; empty for that at which people sign in, if there is one."""


class Forbidden(Problem):
    kind = "forbidden"
    status = 403
    title = _("You are not allowed to do this")
    explanation = _("Your role, your agency or your token does not allow this.")
    remedy = _("Ask your agency's administrator for the role, or act for the right agency.")
    for_people = Words(
        _("You cannot open this page"),
        _("Only some people can open it: those who work for a particular agency, or who have a particular role there."),
        _(
            "If you work for that agency, choose it under “Act for an agency”, or ask its administrator to give you"
            " the role. If you came here for yourself, go to your account."
        ),
    )
    audit_tag = "access:refused"
    oauth_error = "insufficient_scope"


class NotFound(Problem):
    kind = "not-found"
    status = 404
    title = _("There is nothing here")
    explanation = _("The address does not exist, or you are not allowed to see what is here.")
    remedy = _("Check the address, or start from the home page.")
    oauth_error = "invalid_request"


class NotYours(NotFound):
    """Exists, but belongs to another agency or person: told exactly like NotFound, and audited."""

    audit_tag = "access:refused"


class MethodNotAllowed(Problem):
    kind = "method-not-allowed"
    status = 405
    title = _("This address does not accept that method")
    explanation = _("The address exists, but not for that HTTP method.")
    remedy = _("Use one of the methods in the Allow header.")
    for_people = Words(
        _("This page cannot be opened like that"),
        _("It is a step of a form, and it opens only when the form is sent."),
        _("Start again from the page that has the form."),
    )
    oauth_error = "invalid_request"


class NotAcceptable(Problem):
    kind = "not-acceptable"
    status = 406
    title = _("This cannot be answered in the format asked for")
    explanation = _("The Accept header asks for a format that this address does not produce.")
    remedy = _("Ask for application/json or text/html.")
    for_people = Words(
        _("We cannot show this in that format"),
        _("Your browser or program asked for a kind of file that this page does not have."),
        _("Open the address in an ordinary browser."),
    )
    oauth_error = "invalid_request"


class Conflict(Problem):
    kind = "conflict"
    status = 409
    title = _("This conflicts with something that exists")
    explanation = _("The state has changed since you read it, or the code or name is already taken.")
    remedy = _("Reload, check what it says now, and decide again.")
    for_people = Words(
        _("Something changed in the meantime"),
        _("Somebody else changed this after you opened the page. Your change was not made."),
        _("Load the page again, check what it says now, and decide again."),
    )
    oauth_error = "invalid_request"


class TooLarge(Problem):
    kind = "too-large"
    status = 413
    title = _("This is too large")
    explanation = _("The body of the request, or one of its files, is larger than allowed.")
    remedy = _("Send less, or a smaller file. Nothing was stored.")
    for_people = Words(
        _("This is too large"),
        _("What you sent, or one of its files, is larger than we accept. Nothing was stored."),
        _("Send a smaller file, or fewer of them."),
    )
    oauth_error = "invalid_request"


class UnsupportedMediaType(Problem):
    kind = "unsupported-media-type"
    status = 415
    title = _("This type of content is not accepted here")
    explanation = _("The Content-Type is not one that this address accepts, or a file is not what it says it is.")
    remedy = _("Send one of the accepted types.")
    for_people = Words(
        _("We do not accept files of this kind here"),
        _("The file is of a kind that this page does not accept, or it is not what its name says. Nothing was stored."),
        _("Go back and choose a file of the kind that the page asks for."),
    )
    oauth_error = "invalid_request"

    @classmethod
    def send_as(cls, media_type: str, given: str) -> UnsupportedMediaType:
        """The refusal of a body that is not of the one type that is accepted (RFC 9110 15.5.16)."""
        detail = _("Send the body with Content-Type: %(type)s.", type=media_type)
        return cls(detail, log=f"Content-Type: {given[:100]}", headers={"Accept": media_type})


class TooMany(Problem):
    kind = "too-many-requests"
    status = 429
    title = _("Too many requests")
    explanation = _("More requests came in a short time than are allowed.")
    remedy = _("Wait for the time in the Retry-After header and try again.")
    for_people = Words(
        _("Wait a moment"),
        _("There were too many requests from here in a short time. Nothing was lost."),
        _("Wait a minute and try again."),
    )
    oauth_error = "slow_down"


class Unavailable(Problem):
    kind = "unavailable"
    status = 503
    title = _("We cannot answer right now")
    explanation = _("A part that is needed, such as the database, does not answer. Nothing was lost.")
    remedy = _("Try again in a minute.")
    oauth_error = "temporarily_unavailable"


class Unconfirmed(Unavailable):
    """A commit whose answer did not arrive: retrying blindly might do it twice, giving up might lose it."""

    kind = "unconfirmed"
    title = _("We do not know yet whether this was done")
    explanation = _(
        "The connection to the database was lost just as this was being stored. It may or may not have been stored."
    )
    remedy = _(
        "Check whether it was done before you try again. A program that gave an Idempotency-Key can send the same "
        "request again with the same key."
    )
    for_people = Words(
        _("We do not know yet whether this was done"),
        _("The connection was lost just as this was being saved. It may or may not have been saved."),
        _("Check whether it was done before you try again."),
    )


class OutOfSpace(Problem):
    kind = "out-of-space"
    status = 507
    title = _("There is no room to store this")
    explanation = _("The document store is full. Nothing was stored.")
    remedy = _("Try again later; the operators have been told.")
    oauth_error = "temporarily_unavailable"


class BadGateway(Problem):
    kind = "provider-unreachable"
    status = 502
    title = _("The provider does not answer")
    explanation = _("The provider's system could not be reached, or broke off its answer.")
    remedy = _("Try again later, or write to the service's contact.")
    oauth_error = "temporarily_unavailable"


class GatewayTimeout(Problem):
    kind = "provider-too-slow"
    status = 504
    title = _("The provider is taking too long")
    explanation = _("The provider's system did not answer within the time allowed.")
    remedy = _("Try again later, or write to the service's contact.")
    oauth_error = "temporarily_unavailable"


def all_problems() -> dict[str, type[Problem]]:
    """Every documented kind, by its name; the blocks' own kinds included once they are imported."""
    problems: dict[str, type[Problem]] = {"internal": Internal}
    waiting = [Problem]
    while waiting:
        for problem in waiting.pop().__subclasses__():
            waiting.append(problem)
            problems.setdefault(problem.kind, problem)
    return dict(sorted(problems.items()))
