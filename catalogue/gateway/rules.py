"""The gateway: how calls are named and counted, what is no call, and who failed when one fails."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kernel.base.errors import Problem, TooMany, _

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_ANSWER_BYTES = 100 * 1024 * 1024
DAILY_CALLS = "catalogue:gateway:calls"
"""The counter of an agreement's calls of a day."""
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Failure(StrEnum):
    """The party that failed, as the header `Cordillera-Error` names it."""

    PROVIDER = "provider"
    GATEWAY = "gateway"


class DailyCallsUsed(TooMany):
    """The agreement's calls of today have been made."""

    kind = "daily-calls-used"
    title = _("Today's calls have been used up")
    explanation = _(
        "The agreement sets how many calls may be made per day, and all of them have been made since midnight."
    )
    remedy = _(
        "Wait until midnight in Chile (Retry-After), or ask the service's owner for an agreement with more calls."
    )


class NoUpgrade(Problem):
    """The caller wants to go on in another protocol."""

    kind = "no-upgrade"
    status = 501
    title = _("The gateway passes HTTP only")
    explanation = _("A connection cannot be turned into a WebSocket through the gateway.")
    remedy = _("Use the service's HTTP operations; events can come as an event stream (text/event-stream).")


class NotForPages(Problem):
    """A browser asks on behalf of another site's page whether it may call."""

    kind = "not-for-pages"
    status = 403
    title = _("The gateway is called by servers, not by pages in a browser")
    explanation = _(
        "A browser asked whether a page of another site may call (CORS). A call needs the credentials of an agreement,"
        " and a page cannot keep them secret."
    )
    remedy = _("Let your page call a server of yours, and that server call the gateway.")


@dataclass(frozen=True)
class DailyCalls:
    """The number of a day's calls, the one at hand counted, and the seconds that the day still lasts."""

    limit: int
    used: int
    seconds_left: int

    def headers(self) -> dict[str, str]:
        """The limit and what is left of it, as draft-ietf-httpapi-ratelimit-headers-10 has it."""
        left = max(self.limit - self.used, 0)
        return {
            "RateLimit-Policy": f'"agreement";q={self.limit};w=86400',
            "RateLimit": f'"agreement";r={left};t={self.seconds_left}',
        }


def trace_id(consumer: str, call: UUID) -> str:
    """The call's name for everyone: the consumer's code and 26 characters as a ULID has, in the order of time."""
    number, letters = call.int, []
    for _position in range(26):
        letters.append(CROCKFORD[number & 31])
        number >>= 5
    return f"{consumer}.{''.join(reversed(letters))}"
