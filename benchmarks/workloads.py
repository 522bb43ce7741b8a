"""The workloads measured at each peer, in this order."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from benchmarks import browser, load
from benchmarks.browser import Order
from benchmarks.figures import Figures, Load
from benchmarks.load import Request
from benchmarks.peers.peer import PASSWORD, REDIRECT_URI, Credentials, Running
from benchmarks.processes import cpu_seconds, settle

FORM = "application/x-www-form-urlencoded"
CLIENT_CREDENTIALS = ("client credentials", "client credentials, JWT")
WORKLOADS = ("answer", *CLIENT_CREDENTIALS, "introspection", "userinfo", "code flow, live session", "password login")


class NotOffered(Exception):
    """The peer does not do this."""


class WrongAnswer(Exception):
    """The one request that is looked at before the load was not answered as it should be."""


@dataclass(frozen=True)
class Effort:
    """The duration of each workload, and the number of connections or browsers."""

    seconds: float
    connections: int = 16
    browsers: int = 4
    warm_up_seconds: float = 1


def measure_all(
    running: Running, database: int, effort: Effort, wanted: Iterable[str]
) -> Iterator[tuple[str, Figures | str]]:
    """Each workload wanted with its figures, or with the reason why there are none."""
    roots = [*(process.pid for process in running.processes), database]
    tokens: list[str] = []
    for name in wanted:
        if running.only not in ("", name):
            continue
        try:
            if name in ("code flow, live session", "password login"):
                yield name, _sign_ins(_order(running, effort, live=name != "password login"), roots)
            else:
                request = _request(name, running, tokens)
                check(name, request)
                yield name, _requests(request, roots, effort)
        except NotOffered:
            continue
        except (WrongAnswer, browser.FlowFailed, ValueError, OSError, subprocess.CalledProcessError) as error:
            yield name, f"failed: {error}"[:400]


def _order(running: Running, effort: Effort, *, live: bool) -> Order:
    if "authorization_endpoint" not in running.endpoints:
        raise NotOffered
    return Order(
        authorization_endpoint=running.endpoints["authorization_endpoint"],
        token_endpoint=running.endpoints["token_endpoint"],
        client_id=running.application.client_id,
        client_secret=running.application.secret,
        redirect_uri=REDIRECT_URI,
        scope=running.scope,
        users=running.users,
        password=PASSWORD,
        seconds=effort.seconds,
        warm_up_seconds=effort.warm_up_seconds,
        browsers=effort.browsers,
        live_session=live,
    )


def _request(name: str, running: Running, tokens: list[str]) -> Request:
    """The request that the workload repeats. Raises NotOffered."""
    endpoints = running.endpoints
    if name == "answer" and "answer" in endpoints:
        return Request(endpoints["answer"])
    if name in CLIENT_CREDENTIALS and name in running.system_form:
        form = {"grant_type": "client_credentials", **running.system_form[name]}
        return _post(endpoints["token_endpoint"], form, running.system)
    if name == "introspection" and "introspection_endpoint" in endpoints:
        return _post(endpoints["introspection_endpoint"], {"token": _token(running, tokens)}, running.application)
    if name == "userinfo" and "userinfo_endpoint" in endpoints:
        return Request(endpoints["userinfo_endpoint"], headers={"Authorization": f"Bearer {_token(running, tokens)}"})
    raise NotOffered


def _token(running: Running, known: list[str]) -> str:
    """A person's access token, got once."""
    if not known:
        known.append(browser.once(_order(running, Effort(0), live=False))["access_token"])
    return known[0]


def _post(url: str, form: dict[str, str], client: Credentials) -> Request:
    basic = base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
    return Request(url, "POST", {"Content-Type": FORM, "Authorization": f"Basic {basic}"}, urlencode(form))


EXPECTED: dict[str, Callable[[str], bool]] = {
    "answer": lambda body: body == "ok",
    "client credentials": lambda body: bool(json.loads(body)["access_token"]),
    "client credentials, JWT": lambda body: json.loads(body)["access_token"].count(".") == 2,
    "introspection": lambda body: json.loads(body)["active"] is True,
    "userinfo": lambda body: bool(json.loads(body)["sub"]),
}


def _requests(request: Request, roots: list[int], effort: Effort) -> Figures:
    load.send(request, effort.warm_up_seconds, effort.connections)
    settle(roots)
    before = cpu_seconds(roots)
    seen = load.send(request, effort.seconds, effort.connections)
    # What the load leaves to be done afterwards, such as sealing the audit, is a part of its cost.
    settle(roots)
    return Figures.of(seen, cpu_seconds(roots) - before)


def check(name: str, request: Request) -> None:
    """Send the request once and look at the answer. Raises WrongAnswer."""
    asked = urllib.request.Request(
        request.url, request.body.encode() or None, dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            body = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise WrongAnswer(f"{error.code} {error.read()[:200]!r}") from error
    if not EXPECTED[name](body):
        raise WrongAnswer(body[:200])


def _sign_ins(order: Order, roots: list[int]) -> Figures:
    generator = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.browser"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert generator.stdin is not None
    assert generator.stdout is not None
    with generator:
        print(json.dumps(asdict(order)), file=generator.stdin, flush=True)
        if generator.stdout.readline().strip() != "READY":
            raise WrongAnswer("the first sign-ins failed")
        settle(roots)
        before = cpu_seconds(roots)
        print("go", file=generator.stdin, flush=True)
        said = generator.stdout.readline()
        settle(roots)
        used = cpu_seconds(roots) - before
    answer = json.loads(said)
    if answer["load"]["failed"] > answer["load"]["completed"] / 100:
        raise WrongAnswer(f"{answer['load']['failed']} sign-ins failed, the last with {answer['last_failure']}")
    return Figures.of(Load(**answer["load"]), used)
