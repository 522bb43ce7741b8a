"""POST /openid/token (RFC 6749 3.2)."""

from __future__ import annotations

from typing import Any

from identity.openid.cross_origin import open_to_browser_applications
from identity.openid.endpoints import for_programs
from identity.openid.oauth_errors import in_oauth_words
from identity.openid.server import server
from kernel.http.doors import done_by_shortcut
from kernel.jobs.access import public


@for_programs("/openid/token", "POST", "OPTIONS")
@open_to_browser_applications("POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def token() -> Any:
    """Exchange a grant for tokens."""
    done_by_shortcut()
    return server().create_token_response()
