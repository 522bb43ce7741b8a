"""The authorization request as a table: one line a check, in the order the standards want, one column an endpoint.

The first lines find out who asks and for what, and decide whether the browser may be sent back at all; what fails
after `check_redirect_uri` is told by a redirect, in the mode asked for and with the state if there is a sound one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.checks.check_acr import check_acr
from identity.openid.authorization.checks.check_authorization_details import check_authorization_details
from identity.openid.authorization.checks.check_claims import check_claims
from identity.openid.authorization.checks.check_client import check_client, check_client_if_named, check_same_client
from identity.openid.authorization.checks.check_dpop import check_dpop_jkt, check_dpop_proof
from identity.openid.authorization.checks.check_duplicate_parameters import check_duplicate_parameters
from identity.openid.authorization.checks.check_id_token_hint import check_id_token_hint
from identity.openid.authorization.checks.check_login_hint import check_login_hint
from identity.openid.authorization.checks.check_max_age import check_max_age
from identity.openid.authorization.checks.check_nonce import check_nonce
from identity.openid.authorization.checks.check_pkce import check_pkce
from identity.openid.authorization.checks.check_prompt import check_prompt
from identity.openid.authorization.checks.check_redirect_uri import check_outer_redirect_uri, check_redirect_uri
from identity.openid.authorization.checks.check_request_object import check_request_object
from identity.openid.authorization.checks.check_request_uri import check_no_request_uri, check_request_uri
from identity.openid.authorization.checks.check_required_form import check_must_be_pushed, check_must_be_signed
from identity.openid.authorization.checks.check_resource import check_resource
from identity.openid.authorization.checks.check_response_mode import check_response_mode
from identity.openid.authorization.checks.check_response_type import check_response_type
from identity.openid.authorization.checks.check_scope import check_scope
from identity.openid.authorization.checks.check_state import check_state
from identity.openid.authorization.checks.check_unsupported import check_unsupported

Check = Callable[[AuthorizationRequest], None]
_ = False


class Endpoint(IntEnum):
    """The columns."""

    AUTHORIZE = 0
    PAR = 1
    DEVICE = 2


TABLE: tuple[tuple[Check, bool, bool, bool], ...] = (
    # check                      authorize  PAR   device
    (check_client,                    True, _,    _),
    (check_same_client,               _,    True, _),
    (check_client_if_named,           _,    _,    True),
    (check_no_request_uri,            _,    True, True),
    (check_outer_redirect_uri,        True, _,    _),
    (check_request_uri,               True, _,    _),
    (check_must_be_pushed,            True, _,    _),
    (check_must_be_signed,            True, True, _),
    (check_request_object,            True, True, _),
    (check_redirect_uri,              True, True, _),
    (check_response_mode,             True, True, _),
    (check_state,                     True, True, _),
    (check_duplicate_parameters,                      True, True, True),
    (check_unsupported,               True, True, True),
    (check_response_type,             True, True, _),
    (check_scope,                     True, True, True),
    (check_pkce,                      True, True, _),
    (check_dpop_jkt,                  True, True, _),
    (check_dpop_proof,                _,    True, _),
    (check_nonce,                     True, True, _),
    (check_prompt,                    True, True, _),
    (check_max_age,                   True, True, True),
    (check_acr,                       True, True, True),
    (check_claims,                    True, True, _),
    (check_id_token_hint,             True, True, _),
    (check_login_hint,                True, True, _),
    (check_authorization_details,     True, True, True),
    (check_resource,                  True, True, True),
)  # fmt: skip


def checks_of(endpoint: Endpoint) -> tuple[Check, ...]:
    """One column: the checks that the endpoint runs, in their order."""
    return tuple(row[0] for row in TABLE if row[1 + endpoint])


AUTHORIZE = checks_of(Endpoint.AUTHORIZE)
PAR = checks_of(Endpoint.PAR)
DEVICE = checks_of(Endpoint.DEVICE)
IDENTIFYING = AUTHORIZE[: AUTHORIZE.index(check_redirect_uri) + 1]
"""Enough to know who asks and where the answer goes."""


def run(checks: tuple[Check, ...], auth_request: AuthorizationRequest) -> None:
    """Run the checks in order. Raises the OAuthProblem of the first that fails."""
    for check in checks:
        check(auth_request)
