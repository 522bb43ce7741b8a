"""Timestamps (RFC 3161): an authority says that a digest existed at a time, and anybody can check it offline.

pyHanko knows the protocol. It takes a second and a half to load, so only what asks or checks loads it: jobs and
commands, no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from kernel.base.errors import BadGateway
from kernel.base.slots import Slot
from kernel.recording.work import release_connection

DIGEST = "sha256"


class Authority(Protocol):
    """A giver of timestamps."""

    def answer(self, request: bytes) -> bytes:
        """A TimeStampResp for a TimeStampReq, both in DER. Raises BadGateway, GatewayTimeout."""

    def certificates(self) -> Sequence[bytes]:
        """The certificates, in DER, under one of which its tokens are believed."""


class BrokenTimestamp(Exception):
    """A token that does not show what it is said to; the message says why, for operators."""


AUTHORITY: Slot[Authority | None] = Slot("timestamp_authority", lambda: None)


def timestamp(digest: bytes) -> bytes:
    """Ask the authority for a token over a SHA-256 digest, and check it.

    Never within an action, for others are waited for. Raises BadGateway, GatewayTimeout, RuntimeError in an action.
    """
    from pyhanko.sign.timestamps.api import TimeStamper

    authority = AUTHORITY()
    if authority is None:
        raise BadGateway(log="no timestamp authority is configured")
    release_connection()
    nonce, request = TimeStamper().request_cms(digest, DIGEST)  # type: ignore[no-untyped-call]  # pyHanko has no types here
    answer = authority.answer(request.dump())
    try:
        token = _token(answer, nonce)
        verify_timestamp(token, digest, authority.certificates())
    except BrokenTimestamp as error:
        raise BadGateway(log=f"the timestamp authority's answer: {error}") from error
    return token


def _token(answer: bytes, nonce: Any) -> bytes:
    from asn1crypto.tsp import TimeStampResp
    from pyhanko.sign.timestamps.common_utils import TimestampRequestError, handle_tsp_response

    try:
        token: bytes = handle_tsp_response(TimeStampResp.load(answer), nonce).dump()
    # pyHanko means to name two nonces that differ, and fails at it with an AttributeError.
    except (TimestampRequestError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenTimestamp(repr(error)) from error
    return token


def verify_timestamp(token: bytes, digest: bytes, trusted: Sequence[bytes]) -> datetime:
    """The time that a token shows for a SHA-256 digest, as of then and without any server.

    trusted: certificates in DER, of the authority or of who issued its own. Raises BrokenTimestamp.
    """
    from asn1crypto.cms import ContentInfo
    from asn1crypto.x509 import Certificate
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko.sign.validation.status import TimestampSignatureStatus
    from pyhanko_certvalidator import ValidationContext

    try:
        signed = ContentInfo.load(token)["content"]
        moment: datetime = signed["encap_content_info"]["content"].parsed["gen_time"].native
        context = ValidationContext(
            trust_roots=[Certificate.load(each) for each in trusted], moment=moment, allow_fetching=False
        )
        checked = validate_tst_signed_data(signed, context, lambda name: digest if name == DIGEST else b"")
        status = TimestampSignatureStatus(**asyncio.run(checked))
    except (SignatureValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenTimestamp(repr(error)) from error
    if not (status.intact and status.valid):
        raise BrokenTimestamp("the token is of something else, or its signature does not hold")
    if not status.trusted:
        raise BrokenTimestamp("the authority that signed it is not one that is trusted")
    return moment
