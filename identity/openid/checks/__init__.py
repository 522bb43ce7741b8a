"""The authorization request as a table: one line a check, in the order in which the standards want them.

The identifying ones decide whether the browser may be sent back at all; what fails after them is told by a redirect,
with the state if there is a sound one.
"""

from __future__ import annotations

from collections.abc import Callable

from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.checks.check_client import check_client
from identity.openid.checks.check_max_age import check_max_age
from identity.openid.checks.check_nonce import check_nonce
from identity.openid.checks.check_once import check_once
from identity.openid.checks.check_pkce import check_pkce
from identity.openid.checks.check_prompt import check_prompt
from identity.openid.checks.check_redirect_uri import check_redirect_uri
from identity.openid.checks.check_response_mode import check_response_mode
from identity.openid.checks.check_response_type import check_response_type
from identity.openid.checks.check_scope import check_scope
from identity.openid.checks.check_state import check_state
from identity.openid.checks.check_unsupported import check_unsupported

Check = Callable[[AuthorizationRequest], None]

IDENTIFYING: tuple[Check, ...] = (
    check_client,
    check_redirect_uri,
)
AUTHORIZATION: tuple[Check, ...] = (
    *IDENTIFYING,
    check_state,
    check_once,
    check_unsupported,
    check_response_type,
    check_response_mode,
    check_scope,
    check_pkce,
    check_nonce,
    check_prompt,
    check_max_age,
)


def run(checks: tuple[Check, ...], asked: AuthorizationRequest) -> None:
    """Run the checks in order. Raises the OAuthProblem of the first that fails."""
    for check in checks:
        check(asked)
