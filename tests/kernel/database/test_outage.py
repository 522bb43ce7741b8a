"""A database that goes away is told kindly, and its return needs nobody."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernel.base.settings import Settings
from kernel.database import migrate
from kernel.http.rate_limit import limiter
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", log=tmp_path / "postgres.log", fast=True)
    yield server
    server.stop()


def test_pages_say_that_the_database_is_down_and_come_back_with_it(
    own_server: EmbeddedPostgres, settings: Settings
) -> None:
    url = own_server.start()
    migrate.upgrade(url)
    client = create_app(replace(settings, database_url=url)).test_client()
    assert client.get("/api/v1/agencies").status_code == 200
    assert client.get("/catalogue").status_code == 200

    own_server.stop()
    page = client.get("/catalogue", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert "<html" in page.text
    assert client.get("/api/v1/agencies").content_type == "application/problem+json"
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200

    own_server.start()
    assert client.get("/health/ready").status_code == 200
    assert client.get("/catalogue").status_code == 200
    assert client.get("/api/v1/agencies").status_code == 200


def test_whoever_asks_too_often_is_told_to_wait(settings: Settings) -> None:
    app = create_app(replace(settings, blocks=(), environment="development"))
    limited: Any = limiter.limit("2 per minute")(app.view_functions["live"])
    app.view_functions["live"] = limited
    client = app.test_client()
    answers = [client.get("/health/live") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].content_type == "application/problem+json"
    assert int(answers[2].headers["Retry-After"]) > 0
