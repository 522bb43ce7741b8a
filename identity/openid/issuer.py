"""The name of the provider: the address below which everything of it is."""

from __future__ import annotations

from kernel.base.installation import settings

PATH = "/openid"


def issuer() -> str:
    """This installation's issuer identifier (RFC 8414 2)."""
    return f"{settings().base_url}{PATH}"
