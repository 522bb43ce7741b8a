"""Authlib's authorization server with our clients, our authentication and our errors: it finds the grant asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request
from flask import Flask, request

from identity.openid.authentication import authenticate
from identity.openid.grants import GRANTS
from identity.openid.parameters import check_is_form
from identity.openid.rules import MalformedRequest, UnsupportedGrantType
from kernel.base.slots import Slot

REPEATABLE = ("resource", "audience")


class FormPayload(OAuth2Payload):
    """RFC 6749 3.2: the parameters of a token request are in its body, never in its address."""

    @property
    def data(self) -> Any:
        return request.form

    @cached_property
    def datalist(self) -> Any:
        return {name: request.form.getlist(name) for name in request.form}


class TokenRequest(OAuth2Request):
    """A token request. Whether the transport is safe enough is a matter of the settings, and was decided at start."""

    def __init__(self) -> None:
        self.method = request.method
        self.payload = FormPayload()
        self.client = None


class Server(AuthorizationServer):
    """Errors are raised as problems and rendered by the endpoint, never by the library."""

    def __init__(self) -> None:
        super().__init__()
        self.grants = GRANTS
        for grant in GRANTS:
            self.register_grant(grant)

    def create_oauth2_request(self, request: Any) -> Any:
        return TokenRequest()

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Any:
        return authenticate()

    def get_token_grant(self, request: Any) -> Any:
        """The grant that the request names. Raises MalformedRequest, UnsupportedGrantType."""
        check_is_form()
        # RFC 6749 3.2: parameters must not be included more than once. RFC 8707 2 and RFC 8693 2.1 allow these two.
        if any(len(values) > 1 for name, values in request.payload.datalist.items() if name not in REPEATABLE):
            raise MalformedRequest("A parameter came more than once.")
        if not request.payload.grant_type:
            raise MalformedRequest("The parameter grant_type is missing.")
        for grant in self.grants:
            if grant.check_token_endpoint(request):
                return grant(request, self)
        offered = ", ".join(grant.GRANT_TYPE for grant in self.grants)
        raise UnsupportedGrantType(f"The grant_type must be one of: {offered}.")


SERVER: Slot[Server] = Slot("openid")


def install_server(app: Flask) -> None:
    """One server an application, with every grant that is offered."""
    SERVER.fill(app, Server())


def server() -> Server:
    """This application's server."""
    return SERVER()
