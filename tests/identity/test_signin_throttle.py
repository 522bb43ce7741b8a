"""The brakes on guessing, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from builders.identity import PASSWORD, a_person, sign_in
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from stdnum.cl.rut import calc_check_digit

from identity.brakes.models import SignInThrottle
from identity.brakes.rules import BRAKES, WaitBeforeTrying
from identity.people.models import Person
from identity.signin.actions import delete_old_sessions, forget_old_sessions, sign_in_with_password
from identity.signin.models import SignInSession
from identity.signin.queries import current_sign_in
from identity.signin.rules import COOKIE, KEPT_FOR, WrongCredentials
from kernel.clock import shifted
from kernel.db import session

RUN = "12.345.678-5"
HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
FREE = BRAKES["account-address"].free


def attempt(password: str, run: str = RUN, address: str = HERE) -> str:
    """The outcome in one word: in, wrong or wait."""
    try:
        sign_in_with_password(run, password, address)
    except WrongCredentials:
        return "wrong"
    except WaitBeforeTrying:
        return "wait"
    return "in"


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is not what is tested here."""
    monkeypatch.setattr("identity.signin.actions.password_matches", lambda password, *_: password == PASSWORD)


@pytest.mark.usefixtures("context", "cheap_hashes")
class TestBrakes:
    def test_after_some_failures_even_the_right_password_waits_a_little(self) -> None:
        a_person(RUN)
        outcomes = [attempt("guess") for _ in range(FREE + 2)]
        assert outcomes[:FREE] == ["wrong"] * FREE
        assert outcomes[-1] == "wait"
        assert attempt(PASSWORD) == "wait"
        with shifted(timedelta(seconds=5)):
            assert attempt(PASSWORD) == "in"

    def test_an_unknown_person_is_braked_alike(self) -> None:
        assert [attempt("guess") for _ in range(FREE + 2)][-1] == "wait"

    def test_waiting_attempts_do_not_make_the_wait_longer(self) -> None:
        for _ in range(FREE + 20):
            attempt("guess")
        with shifted(timedelta(seconds=3)):
            assert attempt("guess") == "wrong"

    def test_a_success_wipes_the_account_clean(self) -> None:
        a_person(RUN)
        for _ in range(FREE - 1):
            attempt("guess")
        assert attempt(PASSWORD) == "in"
        assert [attempt("guess") for _ in range(FREE)] == ["wrong"] * FREE

    def test_who_fails_elsewhere_keeps_the_owner_waiting_for_a_minute_at_most(self) -> None:
        a_person(RUN)
        for number in range(60):
            with shifted(timedelta(minutes=2 * number)):
                attempt("guess", address=f"198.51.100.{number}")
        with shifted(timedelta(minutes=120) + BRAKES["account"].longest):
            assert attempt(PASSWORD) == "in"

    def test_own_successes_do_not_wash_an_address_clean(self) -> None:
        a_person(RUN)
        for number in range(10):
            attempt("guess", run=_run(number))
            assert attempt(PASSWORD) == "in"
        address = session().get_one(SignInThrottle, f"address:{HERE}")
        assert address.failures > 9

    def test_many_accounts_from_one_address_are_braked(self) -> None:
        outcomes = [attempt("guess", run=_run(number)) for number in range(BRAKES["address"].free + 5)]
        assert outcomes[-1] == "wait"
        assert attempt("guess", run=_run(1000), address=ELSEWHERE) == "wrong"


def _run(number: int) -> str:
    body = str(7_000_000 + number)
    return f"{body}-{calc_check_digit(body)}"


@pytest.mark.usefixtures("cheap_hashes")
def test_guesses_at_once_are_counted_one_by_one(app: Flask) -> None:
    def guess(number: int) -> str:
        with app.app_context():
            return attempt(f"guess {number}")

    with app.app_context():
        a_person(RUN)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(guess, range(40)))
    assert "in" not in outcomes
    assert outcomes.count("wrong") == FREE


@pytest.mark.usefixtures("cheap_hashes")
def test_right_and_wrong_at_once_do_not_block_each_other_for_ever(app: Flask) -> None:
    with app.app_context():
        people = [str(a_person().run) for _ in range(4)]

    def come(number: int) -> str:
        with app.app_context():
            return attempt(PASSWORD if number % 2 else "guess", run=people[number % 4])

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(come, range(32)))
    assert outcomes.count("in") == 16


def test_the_page_says_how_long_to_wait(app: Flask, client: FlaskClient) -> None:
    for _ in range(FREE + 1):
        answer = sign_in(client, RUN, "guess")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Su cuenta no está bloqueada" in answer.text
    assert 'name="password"' in answer.text


@pytest.fixture
def signed_in(app: Flask, client: FlaskClient) -> Person:
    with app.app_context():
        person = a_person(RUN)
    assert sign_in(client, person).status_code == 303
    return person


def test_a_request_costs_one_read_and_no_write(app: Flask, client: FlaskClient, signed_in: Person) -> None:
    token = client.get_cookie(COOKIE)
    assert token
    cookies = {"Cookie": f"{COOKIE}={token.value}"}
    with counted() as statements, app.test_request_context(headers=cookies):
        assert current_sign_in() is current_sign_in()
        found = current_sign_in()
        assert found is not None
        assert found.person.id == signed_in.id
        assert (found.acr, found.amr) == ("urn:cordillera:acr:1", ["pwd"])
    assert [statement.split()[0] for statement in statements] == ["SELECT"]
    with shifted(timedelta(minutes=2)), counted() as statements:
        for _ in range(2):
            with app.test_request_context(headers=cookies):
                assert current_sign_in()
    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE", "SELECT"]


@pytest.mark.usefixtures("signed_in")
def test_old_sessions_are_forgotten(app: Flask) -> None:
    with app.app_context():
        assert delete_old_sessions() == 0
        with shifted(KEPT_FOR + timedelta(days=1)):
            assert delete_old_sessions() == 1
            forget_old_sessions()
        assert session().scalars(select(SignInSession)).all() == []
