"""The servers in the documentation receive what we send, once, and refuse what somebody else sends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from builders.apps import under_test
from builders.receiver import bring_forward
from flask import Flask
from sqlalchemy import select
from walking import free_address, program

from kernel.base.settings import Settings
from kernel.database.db import ENGINE, session
from kernel.jobs.access import Principal, act_as
from kernel.jobs.jobs import run_worker
from kernel.outside.deliveries import Delivery
from kernel.outside.deliveries_lists import replay
from kernel.outside.deliveries_subscriptions import NewSecret, SubscriptionFacts, create_subscription
from kernel.outside.deliveries_webhooks import send_test
from portal.app import create_app

EXAMPLES = Path(__file__).resolve().parents[3] / "docs/examples"
OWNER = "agency:AE001"


@contextmanager
def receiving(command: list[str], secret: str, port: str, sign_of_life: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": port, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                if sign_of_life in line:
                    break
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """End the server; `node` only starts Node, so the whole group is told."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def address() -> str:
    return free_address()


@pytest.fixture
def app(settings: Settings, address: str) -> Iterator[Flask]:
    host = address.removeprefix("http://")
    application = under_test(create_app(replace(settings, blocks=(), outbound_allowed=frozenset({host}))))
    yield application
    ENGINE.of(application).dispose()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["python", "node"])
def test_the_example_receives_an_event_once(app: Flask, address: str, language: str) -> None:
    port = address.rpartition(":")[2]
    flask = [sys.executable, "-m", "flask", "--app", str(EXAMPLES / "webhooks.py"), "run", "--port", port]
    command, sign = {
        "python": (flask, "Running on"),
        "node": ([program("node"), str(EXAMPLES / "webhooks.mjs")], "listening"),
    }[language]
    made = subscribed(app, f"{address}/cordillera")
    with receiving(command, made.secret, port, sign) as process:
        with app.app_context():
            act_as(Principal(kind="system", id="test", name="The test"))
            send_test([OWNER], made.subscription.id)
        run_worker(app, until_empty=True)
        with app.app_context():
            act_as(Principal(kind="system", id="test", name="The test"))
            replay([OWNER], session().scalars(select(Delivery.id)).one())
        bring_forward(app)
        run_worker(app, until_empty=True)
        forged = httpx2.post(f"{address}/cordillera", content=b"{}", headers={"webhook-signature": "v1,AAAA"})
        assert forged.status_code == 400
        with app.app_context():
            assert session().scalars(select(Delivery.status)).all() == ["delivered"]
            assert session().scalars(select(Delivery.attempts)).all() == [2]
        stop(process)
        assert process.stdout
        handled = [line for line in process.stdout if line.startswith("test ")]
        assert len(handled) == 1
        assert str(made.subscription.id) in handled[0]


def subscribed(app: Flask, url: str) -> NewSecret:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        return create_subscription(OWNER, SubscriptionFacts("Ejemplo", url, ("test",)))
