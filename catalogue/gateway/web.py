"""The gateway: a consumer's system calls the provider's real address through it."""

from __future__ import annotations

from flask import Blueprint, Response, request

from catalogue.gateway.actions import BegunCall, begin_call, finish_call, refuse_call
from catalogue.gateway.rules import MAX_ANSWER_BYTES, MAX_BODY_BYTES, Failure, NotForPages, NoUpgrade
from kernel.base.request_id import current_request_id
from kernel.http.duties import only_behind_flask
from kernel.jobs.access import Principal, current_principal, requires, scope
from kernel.outside.forwarding.calls import METHODS, call_of_request, register_rest_of_path
from kernel.outside.forwarding.forwarder import Forwarder, HeaderList, Outcome
from kernel.outside.forwarding.headers import HeaderRules

WHO_FAILED = "Cordillera-Error"
TRACE = "Cordillera-Trace"
FORWARDER = Forwarder(
    name=Failure.GATEWAY,
    failure_header=WHO_FAILED,
    header_rules=HeaderRules(own=("x-cordillera-", "cordillera-")),
    max_response_bytes=MAX_ANSWER_BYTES,
)

pages = Blueprint("gateway", __name__, url_prefix="/gateway")
pages.record(register_rest_of_path)


class CallRecorder:
    """Counts one call of an agreement, and says to either side by which one it is made."""

    trace = ""

    def __init__(self, machine: Principal, service: str, version: str, method: str) -> None:
        self._call = machine, service, version, method

    def refuse(self, status: int, failed: str) -> HeaderList:
        return [(TRACE, refuse_call(*self._call, status, Failure(failed)).trace)]

    def begin(self) -> str:
        self._begun: BegunCall = begin_call(*self._call)
        row = self._begun.row
        self._key, self.trace = (row.id, row.at), row.trace
        return self._begun.base_url

    def request_headers(self, url: str, headers: HeaderList) -> HeaderList:
        return [
            *headers,
            ("X-Cordillera-Consumer", self._begun.row.consumer),
            ("X-Cordillera-Agreement", self._begun.row.agreement),
            ("X-Request-Id", current_request_id()),
            (TRACE, self.trace),
        ]

    def response_headers(self, status: int, headers: HeaderList) -> HeaderList:
        return [(TRACE, self.trace), *self._begun.daily.headers().items()]

    def finish(self, outcome: Outcome) -> None:
        failed = Failure(outcome.failed) if outcome.failed else None
        finish_call(*self._key, outcome.status, failed, outcome.milliseconds)


@pages.before_request
def refuse_preflights() -> None:
    """A preflight carries no credentials, so it can be answered for no agreement (Fetch Living Standard 4.8)."""
    asks = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    if request.method == "OPTIONS" and asks and "Authorization" not in request.headers:
        raise NotForPages


@pages.route("/<service>/<version>", methods=METHODS, provide_automatic_options=False)
@pages.route(
    "/<service>/<version>/<rest_of_path:path>", methods=METHODS, provide_automatic_options=False, merge_slashes=False
)
@requires(scope("gateway"))
def call(service: str, version: str, path: str = "") -> Response:
    """Pass the call on to the provider and its answer back."""
    # RFC 9110 7.8: an upgrade may be passed over, but who asks for a WebSocket can do nothing with another answer.
    if request.headers.get("Upgrade", "").lower() == "websocket":
        raise NoUpgrade
    incoming = call_of_request(f"/gateway/{service}/{version}", MAX_BODY_BYTES)
    recorder = CallRecorder(current_principal(), service, version, request.method)
    return FORWARDER.forward(incoming, recorder, destination=service)


@pages.after_app_request
@only_behind_flask("it concerns the gateway's own answers")
def say_who_failed(response: Response) -> Response:
    """Every refusal below `/gateway/` says whose it is; the provider's are marked before."""
    if response.status_code >= 400 and request.path.startswith("/gateway/"):
        response.headers.setdefault(WHO_FAILED, str(Failure.GATEWAY))
    return response
