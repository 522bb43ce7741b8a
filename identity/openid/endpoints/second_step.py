"""The second step, to which an authorization request leads that wants two factors (OIDC Core 3.1.2.1 and 5.5.1.1, RFC
9470 5).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from identity.openid.authorization.interactions import InteractionKind
from identity.openid.grants.step_up import achieved_acr, wants_more
from identity.openid.rules import LoginRequired
from kernel.base import clock

if TYPE_CHECKING:
    from identity.authentication.sessions.queries import SignIn
    from identity.openid.authorization.authorization_request import AuthorizationRequest


def question_of_second_step(auth_request: AuthorizationRequest, sign_in: SignIn) -> Callable[[], str | Response] | None:
    """The page where the person proves more, or decides about it; None where nothing more is wanted, or is to be had.

    Raises LoginRequired, UnmetAuthenticationRequirements.
    """
    if wants_more(sign_in.acr, auth_request.acr_values):
        has_one = sign_in.person.second_factor is not None
        if "none" not in auth_request.prompts and has_one:
            return partial(_ask_for_code, auth_request)
        if "none" not in auth_request.prompts and not auth_request.has_been(InteractionKind.WITHOUT):
            return partial(_offer, auth_request, sign_in)
        # OIDC Core 3.1.2.6: somebody who could prove more would have to be asked.
        if has_one and auth_request.acr_is_essential:
            raise LoginRequired("The second factor would have to be asked for.")
    # OIDC Core 5.5.1.1: a wish is answered with what there is, what is essential with an error.
    achieved_acr(sign_in.acr, auth_request.acr_values, is_essential=auth_request.acr_is_essential)
    return None


def _ask_for_code(auth_request: AuthorizationRequest) -> Response:
    return redirect(url_for("signin.ask_for_code", next=_way_back(auth_request, InteractionKind.SIGN_IN)), 303)


def _offer(auth_request: AuthorizationRequest, sign_in: SignIn) -> str:
    return render_template(
        "openid/second_step.html",
        client=auth_request.client,
        is_essential=auth_request.acr_is_essential,
        is_test_person=sign_in.person.is_test_person,
        set_up=url_for("one_time_codes.home", next=_way_back(auth_request, InteractionKind.SIGN_IN)),
        without=_way_back(auth_request, InteractionKind.WITHOUT),
    )


def _way_back(auth_request: AuthorizationRequest, kind: InteractionKind) -> str:
    """Back to the request, which goes on to know since when the person was sent to sign in."""
    return auth_request.way_back(kind, auth_request.sent_to_sign_in_at or clock.now())
