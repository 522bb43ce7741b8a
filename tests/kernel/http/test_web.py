"""Headers of every answer, and how everything that goes wrong is told."""

import re
from dataclasses import replace

import pytest
from flask import Flask, abort, request, url_for
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel.base import errors
from kernel.base.settings import Settings
from kernel.database.db import session
from kernel.database.pagination import page
from kernel.jobs.access import AUTHENTICATORS, Principal, act_as, official, public, requires, role, scope
from kernel.recording.audit import AuditEvent
from kernel.recording.work import autonomous_work
from portal.app import create_app


@pytest.fixture
def app(app: Flask) -> Flask:
    """The kernel with a few places where things go wrong."""

    @app.get("/boom")
    @app.get("/api/boom")
    @public("test")
    def boom() -> str:
        raise ZeroDivisionError("the secret inside")

    @app.get("/teapot")
    @public("test")
    def teapot() -> str:
        abort(418, "the library's own words")

    @app.get("/invalid")
    @public("test")
    def invalid() -> str:
        raise errors.Invalid(fields={"run": ["Wrong digit."]}, log="only for the log")

    @app.post("/form")
    @public("test")
    def form() -> str:
        return request.form.get("name", "")

    @app.get("/officials")
    @requires(official, role("publisher"))
    def officials() -> str:
        return "come in"

    @app.get("/api/machines")
    @requires(scope("some.scope"))
    def machines() -> str:
        return "come in"

    @app.get("/theirs")
    @public("test")
    def theirs() -> str:
        raise errors.NotYours(log="of another agency")

    return app


def as_(app: Flask, principal: Principal) -> None:
    AUTHENTICATORS.of(app).append(lambda: principal)


def test_an_unexpected_error_says_nothing_of_itself(app: Flask, client: FlaskClient) -> None:
    app.config["TESTING"] = False
    for path in ("/boom", "/api/boom"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "ZeroDivision" not in answer.text
        assert answer.headers["X-Request-Id"] in answer.text


def test_a_problem_is_json_for_programs_and_a_page_for_people(client: FlaskClient) -> None:
    program = client.get("/invalid", headers={"Accept": "application/json"})
    assert program.status_code == 422
    assert program.content_type == "application/problem+json"
    assert program.json is not None
    assert program.json["errors"] == {"run": ["Wrong digit."]}
    assert program.json["type"] == "http://localhost/problems/invalid"
    assert "only for the log" not in program.text
    person = client.get("/invalid", headers={"Accept": "text/html"})
    assert person.status_code == 422
    assert person.content_type.startswith("text/html")


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_kind_of_problem_has_its_page(client: FlaskClient, language: str) -> None:
    client.set_cookie("language", language)
    assert client.get("/problems/").status_code == 200
    for kind, problem in errors.all_problems().items():
        answer = client.get(f"/problems/{kind}")
        assert answer.status_code == 200
        assert str(problem.status) in answer.text


def test_an_unknown_kind_of_problem_is_not_found(client: FlaskClient) -> None:
    assert client.get("/problems/none-such").status_code == 404


def test_a_library_error_is_told_in_our_words(client: FlaskClient) -> None:
    answer = client.get("/teapot", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "library" not in answer.text


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.get("/form")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_body_beyond_the_limit_is_refused(client: FlaskClient) -> None:
    answer = client.post("/form", data={"name": "x" * (3 * 1024 * 1024)})
    assert answer.status_code == 413


def test_every_answer_forbids_inline_script_frames_and_guessing(client: FlaskClient) -> None:
    for path in ("/", "/nothing-here", "/problems/", "/health/live"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_a_nonce_is_used_once(client: FlaskClient) -> None:
    nonces = [re.findall(r"nonce-([\w-]+)", client.get("/").headers["Content-Security-Policy"]) for _ in range(2)]
    assert nonces[0] != nonces[1]


@pytest.mark.parametrize("host", ["interno.local:9000", "evil.example"])
def test_full_addresses_are_our_own_whatever_host_is_asked_for(app: Flask, host: str) -> None:
    client, headers = app.test_client(), {"Host": host}
    for number in range(2):
        with app.test_request_context("/", headers=headers):
            act_as(Principal(kind="system", id="test", name="The test"))
            with autonomous_work() as work:
                work.record("test:event", f"event:{number}")
            listed = page(session(), select(AuditEvent), [AuditEvent.id], limit=1).as_json(lambda event: event.tag)
            assert url_for("live", _external=True) == "http://localhost/health/live"
        if number:
            assert listed.headers["Link"].startswith("<http://localhost/?cursor=")
    led = client.get("/health//live", headers=headers)
    assert (led.status_code, led.headers["Location"]) == (308, "http://localhost/health/live")


def test_a_sane_request_id_is_kept_and_another_replaced(client: FlaskClient) -> None:
    assert client.get("/", headers={"X-Request-Id": "balancer-0001"}).headers["X-Request-Id"] == "balancer-0001"
    for bad in ("short", "x" * 65, 'quote"and space', "<script>"):
        assert client.get("/", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_a_program_without_a_token_is_told_so(client: FlaskClient) -> None:
    answer = client.get("/api/machines")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "principal"),
    [
        ("/officials", Principal(kind="official", id="1", roles=frozenset(["correspondent"]))),
        ("/officials", Principal(kind="person", id="1", roles=frozenset(["publisher"]))),
        ("/officials", Principal(kind="machine", id="1", scopes=frozenset(["publisher"]))),
        ("/api/machines", Principal(kind="machine", id="1", scopes=frozenset(["other"]))),
        ("/api/machines", Principal(kind="official", id="1", scopes=frozenset(["some.scope"]))),
    ],
)
def test_the_wrong_caller_is_refused_and_the_refusal_recorded(
    app: Flask, client: FlaskClient, path: str, principal: Principal
) -> None:
    as_(app, principal)
    assert client.get(path).status_code == 403
    with app.app_context():
        event = session().scalars(select(AuditEvent)).one()
    assert (event.tag, event.actor, event.subject) == ("access:refused", "1", f"path:{path}")


def test_the_right_caller_comes_in(app: Flask, client: FlaskClient) -> None:
    as_(app, Principal(kind="official", id="1", roles=frozenset(["publisher"])))
    assert client.get("/officials").text == "come in"


def test_what_is_anothers_looks_like_what_is_not_there(client: FlaskClient) -> None:
    headers = {"Accept": "application/json", "X-Request-Id": "the-same-one"}
    theirs, nothing = client.get("/theirs", headers=headers), client.get("/nothing-here", headers=headers)
    assert (theirs.status_code, theirs.text) == (nothing.status_code, nothing.text)


def test_the_database_that_is_down_is_a_page_that_says_so(settings: Settings) -> None:
    app = create_app(replace(settings, blocks=(), database_url="postgresql+psycopg://nobody@127.0.0.1:9/none"))

    @app.get("/needs-it")
    @public("test")
    def needs_it() -> str:
        return str(session().scalar(select(1)))

    assert app.test_client().get("/health/live").status_code == 200
    assert app.test_client().get("/health/ready").status_code == 503
    answer = app.test_client().get("/needs-it", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert "<html" in answer.text


def test_a_view_without_declared_access_keeps_the_application_from_starting(app: Flask) -> None:
    from kernel.jobs.access import refuse_bare_views

    @app.get("/bare")
    def bare() -> str:
        return ""

    with pytest.raises(RuntimeError, match="bare"):
        refuse_bare_views(app)


def test_who_acts_outside_a_request_is_nobody_until_named(app: Flask) -> None:
    from kernel.jobs.access import ANONYMOUS, current_principal

    with app.app_context():
        assert current_principal() == ANONYMOUS
        act_as(Principal(kind="system", id="x"))
        assert current_principal().id == "x"
