"""The backoff on guessing, against PostgreSQL."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from builders.identity import PASSWORD, a_person, a_run, sign_in
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from stdnum.cl.rut import calc_check_digit

from identity.authentication.login_throttling.models import SignInThrottle
from identity.authentication.login_throttling.rules import BACKOFFS, WaitBeforeTrying
from identity.authentication.passwords.actions import change_password, confirm_password
from identity.authentication.passwords.rules import WrongCredentials
from identity.authentication.signin.actions import sign_in_with_password
from identity.people.models import Person
from identity.people.rules import SECOND_FACTOR_ALWAYS
from kernel.base.clock import shifted
from kernel.database.db import engine, session
from kernel.database.direct import Row
from kernel.database.prepared import PreparedQuery
from kernel.jobs.access import current_principal

RUN = "12.345.678-5"
HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
FREE = BACKOFFS["account-address"].free


def attempt(password: str, run: str = RUN, address: str = HERE) -> str:
    """The outcome in one word: in, wrong or wait."""
    try:
        sign_in_with_password(run, password, address)
    except WrongCredentials:
        return "wrong"
    except WaitBeforeTrying:
        return "wait"
    return "in"


Looking = Callable[[Callable[[], object]], None]


@pytest.fixture
def cheap_hashes(looking: Looking) -> None:
    """The hash is not what is tested here."""
    looking(lambda: None)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Looking:
    """Says what happens while a password is looked at, which otherwise costs nothing."""

    def meanwhile(happens: Callable[[], object]) -> None:
        def matches(password: str, *_: object) -> bool:
            happens()
            return password == PASSWORD

        monkeypatch.setattr("identity.authentication.passwords.actions.password_matches", matches)

    return meanwhile


def once(happens: Callable[[], object]) -> Callable[[], object]:
    """The first attempt alone: what happens while a password is looked at may be another sign-in."""
    times = iter([happens])
    return lambda: next(times, lambda: None)()


def failures() -> dict[str, int]:
    """Count per counter, by the kind of its key; those of several accounts or addresses together."""
    session().rollback()
    found: dict[str, int] = {}
    for key, count in session().execute(select(SignInThrottle.key, SignInThrottle.failures)):
        kind = key.partition(":")[0]
        found[kind] = found.get(kind, 0) + round(count)
    return found


def each(count: int) -> dict[str, int]:
    return {"account": count, "account-address": count, "address": count}


def forget_failures() -> None:
    session().execute(delete(SignInThrottle))
    session().commit()


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
        with shifted(timedelta(minutes=120) + BACKOFFS["account"].longest):
            assert attempt(PASSWORD) == "in"

    def test_own_successes_do_not_wash_an_address_clean(self) -> None:
        a_person(RUN)
        for number in range(10):
            attempt("guess", run=_run(number))
            assert attempt(PASSWORD) == "in"
        address = session().get_one(SignInThrottle, f"address:{HERE}")
        assert address.failures > 9

    def test_many_accounts_from_one_address_are_braked(self) -> None:
        outcomes = [attempt("guess", run=_run(number)) for number in range(BACKOFFS["address"].free + 5)]
        assert outcomes[-1] == "wait"
        assert attempt("guess", run=_run(1000), address=ELSEWHERE) == "wrong"


@pytest.mark.usefixtures("context")
class TestWhileNobodyHasFailed:
    """The attempt is counted only if it fails."""

    def test_a_wrong_password_is_counted_before_the_answer(self, looking: Looking) -> None:
        a_person(RUN)
        seen: list[dict[str, int]] = []
        looking(lambda: seen.append(failures()))
        assert attempt("guess") == "wrong"
        assert (seen, failures()) == ([{}], each(1))

    @pytest.mark.usefixtures("cheap_hashes")
    def test_a_person_nobody_knows_costs_the_same_statements(self) -> None:
        a_person(RUN)
        asked = []
        for run in (RUN, a_run()):
            forget_failures()
            with counted() as statements:
                assert attempt("guess", run=run) == "wrong"
            asked.append(statements)
            assert failures() == each(1)
        assert asked[0] == asked[1]

    @pytest.mark.parametrize("broken", [RuntimeError, SystemExit])
    def test_whatever_goes_wrong_while_it_is_looked_at_is_a_failure(
        self, looking: Looking, broken: type[BaseException]
    ) -> None:
        a_person(RUN)

        def fail() -> None:
            raise broken

        looking(fail)
        with pytest.raises(broken):
            attempt(PASSWORD)
        assert failures() == each(1)

    @pytest.mark.parametrize("password", [PASSWORD, "guess", "breaks"])
    def test_an_attempt_that_is_over_does_not_stand_in_the_way_of_the_next(
        self, looking: Looking, password: str
    ) -> None:
        a_person(RUN)
        looking(once(lambda: 1 / (password != "breaks")))
        with pytest.raises(ZeroDivisionError) if password == "breaks" else counted():
            attempt(password)
        forget_failures()
        seen: list[dict[str, int]] = []
        looking(lambda: seen.append(failures()))
        assert attempt(PASSWORD) == "in"
        assert seen == [{}]

    @pytest.mark.parametrize(("run", "address"), [(RUN, HERE), (RUN, ELSEWHERE), ("11.111.111-1", HERE)])
    def test_beside_another_at_the_account_or_from_the_address_it_is_counted_first(
        self, looking: Looking, run: str, address: str
    ) -> None:
        a_person(RUN)
        seen: list[dict[str, int]] = []

        def another() -> None:
            looking(lambda: seen.append(failures()))
            assert attempt("guess", run=run, address=address) == "wrong"

        looking(another)
        assert attempt(PASSWORD) == "in"
        assert seen == [each(1)]
        assert failures() == each(1), "what was not counted forgives nothing"

    def test_one_that_still_reads_the_counters_is_under_way_already(
        self, looking: Looking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a_person(RUN)
        read, another = PreparedQuery.one, once(lambda: attempt("guess"))

        def slowly(lookup: PreparedQuery, **parameters: object) -> Row:
            row = read(lookup, **parameters)
            another()
            return row

        monkeypatch.setattr(PreparedQuery, "one", slowly)
        seen: list[dict[str, int]] = []
        looking(lambda: seen.append(failures()))
        assert attempt(PASSWORD) == "in"
        assert seen == [each(1), each(1)]

    def test_who_comes_from_elsewhere_to_another_account_is_not_concerned(self, looking: Looking) -> None:
        a_person(RUN)
        seen: list[dict[str, int]] = []

        def another() -> None:
            looking(lambda: seen.append(failures()))
            assert attempt("guess", run="11.111.111-1", address=ELSEWHERE) == "wrong"

        looking(another)
        assert attempt(PASSWORD) == "in"
        assert seen == [{}]

    def test_a_failure_is_counted_although_the_account_has_to_wait_by_now(self, looking: Looking) -> None:
        a_person(RUN)
        looking(once(lambda: [attempt("guess") for _ in range(FREE + 3)]))
        assert attempt("guess") == "wrong"
        assert failures() == each(FREE + 1)

    @pytest.mark.usefixtures("cheap_hashes")
    def test_a_success_writes_no_counter_and_takes_none_away(self) -> None:
        a_person(RUN)
        with counted() as statements:
            assert attempt(PASSWORD) == "in"
        reading, beginning = statements
        assert reading.startswith("SELECT")
        assert "sign_in_throttle" in reading
        assert "sign_in_throttle" not in beginning
        assert failures() == {}

    @pytest.mark.usefixtures("cheap_hashes")
    def test_a_right_password_before_the_code_writes_no_counter(self) -> None:
        a_person(RUN)
        with engine().begin() as connection:
            connection.execute(update(Person).values(second_factor=SECOND_FACTOR_ALWAYS))
        with counted() as statements:
            assert attempt(PASSWORD) == "in"
        assert sum("sign_in_throttle" in statement for statement in statements) == 1
        assert failures() == {}

    @pytest.mark.usefixtures("cheap_hashes")
    def test_a_password_confirmed_or_changed_writes_no_counter(self) -> None:
        a_person(RUN)
        assert attempt(PASSWORD) == "in"
        with counted() as statements:
            confirm_password(current_principal(), PASSWORD, HERE)
            change_password(current_principal(), PASSWORD, "otra frase larga y distinta", HERE)
        assert sum("sign_in_throttle" in statement for statement in statements) == 2
        assert failures() == {}


@pytest.mark.usefixtures("context")
class TestAfterAFailure:
    """Every attempt is counted first, and a success forgives it."""

    @pytest.fixture(autouse=True)
    def failed(self, context: None, cheap_hashes: None) -> None:
        a_person(RUN)
        attempt("guess")

    def test_the_attempt_is_counted_before_it_is_looked_at(self, looking: Looking) -> None:
        seen: list[dict[str, int]] = []
        looking(lambda: seen.append(failures()))
        assert attempt(PASSWORD) == "in"
        assert seen == [each(2)]
        assert failures() == {"address": 1}

    def test_a_password_confirmed_forgives_like_one_to_sign_in(self) -> None:
        assert attempt(PASSWORD) == "in"
        attempt("guess")
        confirm_password(current_principal(), PASSWORD, HERE)
        assert failures() == {"address": 2}

    def test_an_address_is_enough(self, looking: Looking) -> None:
        seen: list[dict[str, int]] = []
        looking(lambda: seen.append(failures()))
        attempt("guess", run="11.111.111-1")
        assert seen == [{"account": 2, "account-address": 2, "address": 2}]

    def test_a_password_changed_forgives(self) -> None:
        assert [attempt(PASSWORD), attempt("guess")] == ["in", "wrong"]
        change_password(current_principal(), PASSWORD, "otra frase larga y distinta", HERE)
        assert failures() == {"address": 2}


def _run(number: int) -> str:
    body = str(7_000_000 + number)
    return f"{body}-{calc_check_digit(body)}"


THREADS = 8


def guesses_at_once(app: Flask, runs: Iterable[str]) -> list[str]:
    """The outcomes of a guess at each account, of which the first come at the same moment."""
    together = Barrier(THREADS)

    def guess(numbered: tuple[int, str]) -> str:
        number, run = numbered
        with app.app_context():
            if number < THREADS:
                together.wait(60)
            return attempt(f"guess {number}", run=run)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(guess, enumerate(runs)))


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_guesses_at_once_are_counted_one_by_one(app: Flask, looking: Looking, seconds: float) -> None:
    """But the one that found nobody before it: it is counted when it has failed."""
    with app.app_context():
        a_person(RUN)
    looking(lambda: time.sleep(seconds))
    outcomes = guesses_at_once(app, [RUN] * 40)
    assert "in" not in outcomes
    assert outcomes.count("wrong") in (FREE, FREE + 1)
    with app.app_context():
        assert failures() == each(outcomes.count("wrong"))


def test_of_guesses_at_many_accounts_at_once_one_address_gets_one_uncounted(app: Flask, looking: Looking) -> None:
    looked_at = Barrier(THREADS)
    uncounted = []

    def look() -> None:
        looked_at.wait(60)
        uncounted.append(THREADS - failures()["address"])

    looking(look)
    assert guesses_at_once(app, [_run(number) for number in range(THREADS)]) == ["wrong"] * THREADS
    assert max(uncounted) <= 1
    with app.app_context():
        assert failures() == each(THREADS)


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
