"""An authorization request: what the browser brought, and what the checks made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import redirect, request
from werkzeug.wrappers import Response

from identity.clients.rules import RegisteredClient
from identity.openid.rules import PROFILES, OAuthProblem, Profile
from kernel.http import settings

SIGNED_IN_SINCE = "signed_in_since"
"""Ours: added on the way to the sign-in page, so that on the way back we know that it was done anew."""


@dataclass
class AuthorizationRequest:
    """RFC 6749 4.1.1. `parameters` are as they came; each check sets what it established."""

    parameters: Mapping[str, Sequence[str]]
    client: RegisteredClient = field(init=False)
    redirect_uri: str = field(init=False)
    state: str | None = None
    scopes: frozenset[str] = frozenset()
    nonce: str | None = None
    code_challenge: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    signed_in_since: datetime | None = None

    @classmethod
    def of_this_request(cls) -> AuthorizationRequest:
        """OIDC Core 3.1.2.1: by GET in the query, by POST in the form."""
        source = request.form if request.method == "POST" and request.form.get("client_id") else request.args
        return cls({name: source.getlist(name) for name in source})

    def one(self, name: str) -> str | None:
        """The parameter's value. RFC 6749 3.1: without a value it counts as left out."""
        values = self.parameters.get(name, ())
        return values[0] if values and values[0] else None

    def all(self, name: str) -> Sequence[str]:
        return self.parameters.get(name, ())

    @property
    def profile(self) -> Profile:
        return PROFILES[self.client.profile]

    def as_query(self, **changed: str) -> str:
        """The request as a query of our own, with some parameters put or, when empty, taken away."""
        values = {name: value for name in self.parameters if (value := self.one(name)) is not None}
        return urlencode({name: value for name, value in {**values, **changed}.items() if value})

    def answer(self, **parameters: str) -> Response:
        """Send the browser back to the client: with 303, so that no form is sent along (RFC 9700 4.12).

        RFC 6749 4.1.2: with the `state` that came. RFC 9207 2: with our issuer, in errors too.
        """
        answer = {**parameters, **({"state": self.state} if self.state else {}), "iss": settings().issuer}
        parts = urlsplit(self.redirect_uri)
        # RFC 6749 3.1.2: the address may have a query of its own, which must be retained.
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
        return redirect(urlunsplit(parts._replace(query=query)), 303)

    def refuse(self, problem: OAuthProblem) -> Response:
        """Tell the client what is wrong. Raises the problem itself where it must not be told by a redirect."""
        if not problem.is_redirectable:
            raise problem
        description = {"error_description": str(problem.detail)} if problem.detail else {}
        return self.answer(error=problem.oauth_error, **description)
