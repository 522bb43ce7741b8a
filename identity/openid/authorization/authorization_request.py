"""An authorization request: what the browser or the client brought, and what the checks made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import request
from werkzeug.wrappers import Response

from identity.authentication.sessions.queries import current_sign_in
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization import interactions
from identity.openid.authorization.queries import is_tried_out
from identity.openid.authorization.response_modes import MODES, SIGNED
from identity.openid.issuer import issuer
from identity.openid.rules import PROFILES, OAuthProblem, Profile, to_agree_to
from identity.openid.tokens.requested_claims import RequestedClaims
from identity.openid.tokens.tokens import signed_answer
from kernel.base import clock
from kernel.http.incoming import Incoming

Parameters = Mapping[str, Sequence[str]]
PATH = "/openid/authorize"
CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""Parameters with which a client proves itself: no part of what it asks for (RFC 9126 2.1)."""


@dataclass
class AuthorizationRequest:
    """RFC 6749 4.1.1. `brought` is as it came, `parameters` what counts; each check sets what it established."""

    brought: Parameters
    parameters: Parameters = field(init=False)
    client: RegisteredClient = field(init=False)
    redirect_uri: str = ""
    """Empty until it is known that the browser may be sent there."""
    response_mode: str = "query"
    state: str | None = None
    scopes: frozenset[str] = frozenset()
    nonce: str | None = None
    code_challenge: str | None = None
    dpop_jkt: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    acr_is_essential: bool = False
    claims: RequestedClaims = field(default_factory=RequestedClaims)
    login_hint: str | None = None
    subject: str | None = None
    """The `sub` of the one person who may answer this request (id_token_hint, claims)."""
    resources: tuple[str, ...] = ()
    authorization_details: tuple[dict[str, Any], ...] = ()
    pushed: bytes | None = None
    """The hash of the request_uri that brought it, used up with the code."""
    detour: interactions.Detour | None = None
    incoming: Incoming | None = None
    """The request in which a client sent it, with its proofs."""

    def __post_init__(self) -> None:
        self.parameters = self.brought

    @classmethod
    def of_this_request(cls) -> AuthorizationRequest:
        """OIDC Core 3.1.2.1: by GET in the query, by POST in the form."""
        source = request.form if request.method == "POST" and request.form.get("client_id") else request.args
        return cls.of_query({name: source.getlist(name) for name in source})

    @classmethod
    def of_query(cls, query: Parameters) -> AuthorizationRequest:
        """Read a request that a browser brings, perhaps with a mark of ours that tells where it has been meanwhile."""
        auth_request = cls({name: values for name, values in query.items() if name != interactions.PARAMETER})
        if marks := query.get(interactions.PARAMETER):
            auth_request.detour = interactions.read(marks[0], json.dumps(auth_request._said()), _sid(), clock.now())
        return auth_request

    @classmethod
    def of_client(cls, client: RegisteredClient, incoming: Incoming) -> AuthorizationRequest:
        """Read a request that a client sent in a form, having proved who it is (RFC 9126 2.1, RFC 8628 3.1)."""
        auth_request = cls({name: values for name, values in incoming.form.lists() if name not in CREDENTIALS})
        auth_request.client, auth_request.incoming = client, incoming
        return auth_request

    def one(self, name: str) -> str | None:
        """The parameter's value. RFC 6749 3.1: without a value it counts as left out."""
        values = self.parameters.get(name, ())
        return values[0] if values and values[0] else None

    def all(self, name: str) -> Sequence[str]:
        return self.parameters.get(name, ())

    @property
    def profile(self) -> Profile:
        return PROFILES[self.client.profile]

    @property
    def agreed_scopes(self) -> frozenset[str]:
        """All that the person has to agree to: the scopes, those that stand for single claims, and where it is told."""
        return to_agree_to(self.scopes | self.claims.scopes, self.scopes, self.client.has_claims_in_id_token)

    @property
    def is_impersonable(self) -> bool:
        """Whether another program may pass for the client (RFC 8252 8.6). Any program on the person's own machine may
        say the name of a client without a secret, and listen there for the answer.
        """
        return self.client.auth_method == "none" and self.redirect_uri.startswith("http://")

    def as_query(self) -> str:
        """The request as it came, as a query of our own."""
        return urlencode(self._said())

    def _said(self) -> list[tuple[str, str]]:
        """List the parameters that came. Values left empty are left out (RFC 6749 3.1)."""
        return [(name, value) for name, values in self.brought.items() for value in values if value]

    def as_marked_query(self, kind: interactions.InteractionKind, now: datetime) -> str:
        """Write the request as a query, with our mark that the person is sent on a detour now."""
        sid = "" if kind == interactions.InteractionKind.SIGN_IN else _sid()
        mark = interactions.mark(kind, json.dumps(self._said()), sid, self.detour.begun if self.detour else now, now)
        return f"{self.as_query()}&{interactions.PARAMETER}={mark}"

    def way_back(self, kind: interactions.InteractionKind, now: datetime) -> str:
        """Return the address at which the person comes back from a detour on which they are sent now."""
        return f"{PATH}?{self.as_marked_query(kind, now)}"

    @property
    def sent_to_sign_in_at(self) -> datetime | None:
        """The moment at which this request sent the person to sign in, if they have come back from there."""
        kinds = (interactions.InteractionKind.SIGN_IN, interactions.InteractionKind.WITHOUT)
        return self.detour.at if self.detour and self.detour.kind in kinds else None

    @property
    def begun(self) -> datetime:
        """The moment at which the request first came to us: what it brings has to be good then,
        not for the time of a sign-in.
        """
        return self.detour.begun if self.detour else clock.now()

    def has_been(self, kind: interactions.InteractionKind) -> bool:
        """Whether the person comes back from this detour."""
        return self.detour is not None and self.detour.kind == kind

    def answer(self, **parameters: str) -> Response:
        """Send the browser back to the client in the way it asked for."""
        answer = self._complete(parameters)
        if mode := SIGNED.get(self.response_mode):
            return MODES[mode](self.redirect_uri, {"response": signed_answer(self.client, answer, clock.now())})
        return MODES[self.response_mode](self.redirect_uri, answer)

    def _complete(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """RFC 6749 4.1.2: with the `state` that came. RFC 9207 2: with our issuer, in errors too."""
        return {**parameters, **({"state": self.state} if self.state else {}), "iss": issuer()}

    def refuse(self, problem: OAuthProblem) -> Response:
        """Tell the client what is wrong. Raises the problem itself where it must not be told by a redirect."""
        if not problem.is_redirectable or not self.redirect_uri or self._leads_to_anybody():
            raise problem
        description = {"error_description": str(problem.detail)} if problem.detail else {}
        return self.answer(error=problem.oauth_error, **description)

    def _leads_to_anybody(self) -> bool:
        """Whether the answer may lead to anybody's place (RFC 9700 4.11.2). A link of ours must not do so, so nobody is
        sent to an application that may be anybody's before a test person has signed in.
        """
        return self.client.is_unverified and not is_tried_out()


def _sid() -> str:
    sign_in = current_sign_in()
    return sign_in.sid if sign_in else ""
