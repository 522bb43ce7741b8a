"""Rules of a developer's way in: the address, the link, how often."""

from __future__ import annotations

import re
from datetime import timedelta

from kernel.base.errors import Invalid, Problem, TooMany, _
from kernel.base.notices import MAIL, NoticeTemplate

DEVELOPER = "developer"
"""The kind of the sandbox's principals."""
LINK_LIFETIME = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(hours=12)
WINDOW = timedelta(hours=1)
MAX_LINKS_PER_EMAIL = 5
MAX_LINKS_PER_ADDRESS = 30
MAX_EMAIL = 254

# RFC 5321 4.1.2, the part of it that people use: a dot-string of ASCII and a domain with at least one dot.
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)


class LinkNotUsable(Problem):
    kind = "sign-in-link-not-usable"
    status = 410
    title = _("This link no longer works")
    explanation = _("A link works once, for 15 minutes. This one has been used, has expired or is incomplete.")
    remedy = _("Ask for a new link with your e-mail.")


def normalise_email(text: str) -> str:
    """The address as it is kept: without spaces around it, in lower case. Raises Invalid."""
    email = text.strip().lower()
    local_part = email.partition("@")[0]
    if len(email) > MAX_EMAIL or len(local_part) > 64 or not _EMAIL.fullmatch(email):
        raise Invalid(fields={"email": [_("Write an e-mail address such as name@example.cl.")]})
    return email


def may_send_another(sent_to_email: int) -> bool:
    """Whether this address still gets mail; whoever asks is answered the same either way."""
    return sent_to_email < MAX_LINKS_PER_EMAIL


def check_address(asked_from_address: int) -> None:
    """Raise TooMany where one place on the network asks for everybody."""
    if asked_from_address >= MAX_LINKS_PER_ADDRESS:
        raise TooMany(headers={"Retry-After": str(int(WINDOW.total_seconds()))})


SIGN_IN_LINK = NoticeTemplate(
    kind="sandbox.sign-in-link",
    group="",
    label="",
    title=_("Your link to the Cordillera sandbox"),
    text="%(opening)s\n\n%(link)s\n\n%(lifetime)s\n\n%(advice)s",
    channels=frozenset({MAIL}),
)
"""A secret, for its reader has the account: it is told by mail alone, and kept nowhere else."""
SIGN_IN_WORDS = {
    "opening": _("Open this link and press the button to enter the sandbox:"),
    "lifetime": _("The link works once, for 15 minutes."),
    "advice": _("If you did not ask for it, ignore this e-mail: nobody can get in without it."),
}
