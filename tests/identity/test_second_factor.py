"""The second factor: RFC 6238 by the letter, setting it up, signing in with it, and what an attacker tries."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from builders.identity import a_person, sign_in
from builders.second_factor import (
    SECRET,
    Enrolled,
    a_test_person_with_code,
    begin,
    code_of,
    enrol,
    give_code,
    recovery_codes_shown,
)
from builders.statements import counted
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from identity.people.models import Person
from identity.second_factor.actions import remove_for
from identity.second_factor.models import SecondFactor
from identity.second_factor.rules import (
    NotEnrolled,
    code_at,
    fitting_steps,
    new_recovery_codes,
    otpauth_link,
    step_of,
    typed,
)
from identity.signin.models import SignInSession
from identity.signin.rules import COOKIE
from kernel.audit import AuditEvent
from kernel.clock import shifted
from kernel.db import session
from kernel.errors import NotFound

ONE, TWO = "urn:cordillera:acr:1", "urn:cordillera:acr:2"
STEP = timedelta(seconds=30)
PAGES = "/account/second-step"


@pytest.fixture
def person(app: Flask) -> Person:
    with app.app_context():
        return a_person()


@pytest.fixture
def enrolled(client: FlaskClient, person: Person) -> Enrolled:
    """The person has set it up, and has left."""
    found = enrol(client, person)
    client.post("/sign-out")
    return found


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def living(app: Flask) -> SignInSession:
    with app.app_context():
        return session().scalars(select(SignInSession).where(SignInSession.ended_at.is_(None))).one()


def tags(app: Flask) -> list[str]:
    with app.app_context():
        return list(session().scalars(select(AuditEvent.tag).order_by(AuditEvent.id)))


# RFC 6238, Appendix B: its codes of eight digits, of which ours are the last six.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert code_at(b"12345678901234567890", step_of(at)) == code[2:]


def test_one_step_of_drift_and_no_more() -> None:
    secret, at = b"12345678901234567890", datetime.fromtimestamp(2_000_000_000, UTC)
    accepted = [steps for steps in range(-3, 4) if fitting_steps(secret, code_at(secret, step_of(at) + steps), at)]
    assert accepted == [-1, 0, 1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("bcdf ghjk lmnp", "BCDFGHJKLMNP"),
        ("BCDF-GHJK-LMNP", "BCDFGHJKLMNP"),
        ("12345", ""),
        ("1234567", ""),
        ("１２３４５６", ""),
        ("٤٤٤٤٤٤", ""),
        ("BCDFGHJKLMN", ""),
        ("AEIOUAEIOUAE", ""),
        ("\x00" * 6, ""),
        ("1" * 1_000_000, ""),
        ("", ""),
    ],
)
def test_what_a_person_may_type(text: str, code: str) -> None:
    assert typed(text) == code


def test_recovery_codes_are_many_different_and_typeable() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(typed(code) == code for code in codes)


def test_the_link_says_what_apps_read() -> None:
    assert otpauth_link(b"12345678901234567890", "12.345.678-5") == (
        "otpauth://totp/Cordillera:12.345.678-5"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Cordillera&digits=6&period=30"
    )


def test_a_person_sets_it_up_and_signs_in_with_it(app: Flask, client: FlaskClient, person: Person) -> None:
    enrolled = enrol(client, person)
    assert living(app).acr == TWO
    client.post("/sign-out")
    halfway = sign_in(client, person)
    assert (halfway.status_code, halfway.location) == (303, "/sign-in/code")
    assert not is_signed_in(client)
    assert 'name="code"' in client.get("/sign-in/code").text
    entered = give_code(client, enrolled.code())
    assert (entered.status_code, entered.location) == (303, "/account")
    assert is_signed_in(client)
    assert (living(app).acr, living(app).amr) == (TWO, ["pwd", "otp", "mfa"])


def test_next_survives_both_steps(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    run = str(person.run)
    halfway = client.post("/sign-in", data={"run": run, "password": "una clave de prueba", "next": "/account/password"})
    assert 'name="next" value="/account/password"' in client.get(halfway.location).text
    assert give_code(client, enrolled.code(), "/account/password").location == "/account/password"


def test_next_leads_nowhere_else(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    assert give_code(client, enrolled.code(), "https://evil.example/").location == "/"


def test_no_code_no_session(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    wrong = ("", "000000", "abcdef", enrolled.code(-3), enrolled.code(3), "\x00", "9" * 100_000)
    assert [give_code(client, code).status_code for code in wrong[:4]] == [422] * 4
    with shifted(timedelta(hours=2)):
        sign_in(client, person)
        assert [give_code(client, code).status_code for code in wrong[4:]] == [422] * 3
    assert not is_signed_in(client)


def test_a_code_works_once(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    """RFC 6238 5.2: the verifier must not accept the second attempt of the code after a success."""
    sign_in(client, person)
    code, before = enrolled.code(), enrolled.code(-1)
    assert give_code(client, code).status_code == 303
    for used_or_older in (code, before):
        sign_in(client, person)
        assert give_code(client, used_or_older).status_code == 422
    assert tags(app).count("identity:second-factor:refused") == 2


def test_the_code_that_confirmed_does_not_sign_in(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    secret = begin(client)
    code = code_of(secret)
    assert client.post(f"{PAGES}/confirm", data={"code": code}).status_code == 200
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, code).status_code == 422


def test_a_code_of_another_person_is_wrong(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    with app.app_context():
        somebody = a_person()
    other = enrol(app.test_client(), somebody)
    sign_in(client, person)
    for code in (other.code(), other.recovery_codes[0]):
        assert give_code(client, code).status_code == 422
    assert not is_signed_in(client)


def test_a_recovery_code_works_once_and_is_no_otp(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[3].lower()).status_code == 303
    assert (living(app).acr, living(app).amr) == (TWO, ["pwd", "mfa"])
    assert "<dd>9</dd>" in client.get(PAGES).text
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[3]).status_code == 422
    assert give_code(client, enrolled.recovery_codes[4]).status_code == 303


def test_nothing_that_is_kept_shows_a_secret(app: Flask, enrolled: Enrolled) -> None:
    with app.app_context():
        kept = session().scalars(select(SecondFactor)).one()
        events = [str(event.detail) for event in session().scalars(select(AuditEvent))]
    assert enrolled.secret not in kept.sealed_secret
    for code in enrolled.recovery_codes:
        assert code.replace(" ", "") not in str(kept.recovery_hashes) + "".join(events)


def test_guesses_are_slowed_down(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    answers = [give_code(client, "000000") for _guess in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [422] * 5
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # The right code has to wait as well, and a new password does not wash the guesses away.
    sign_in(client, person)
    assert give_code(client, enrolled.code()).status_code == 429
    with shifted(timedelta(minutes=8)):
        assert give_code(client, enrolled.code()).status_code == 303


def test_being_halfway_ends(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    with shifted(timedelta(minutes=11)):
        assert client.get("/sign-in/code").location == "/sign-in"
        assert give_code(client, enrolled.code()).location == "/sign-in"
    assert not is_signed_in(client)


def test_the_code_alone_opens_nothing(app: Flask, client: FlaskClient, enrolled: Enrolled) -> None:
    stranger = app.test_client()
    assert stranger.get("/sign-in/code?next=/account").location == "/sign-in?next=/account"
    assert give_code(stranger, enrolled.code()).location == "/sign-in"
    assert not is_signed_in(stranger)


def test_the_session_before_lives_until_the_code_is_right(
    client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    before = client.get_cookie(COOKIE)
    sign_in(client, person)
    give_code(client, "000000")
    assert is_signed_in(client)
    with shifted(STEP * 2):
        assert give_code(client, enrolled.code()).status_code == 303
    after = client.get_cookie(COOKIE)
    assert before
    assert after
    assert before.value != after.value


def test_an_unconfirmed_secret_asks_for_nothing(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    begin(client)
    assert client.post(f"{PAGES}/confirm", data={"code": "000000"}).status_code == 422
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert "Not set up" in client.get("/account", headers={"Accept-Language": "en"}).text


def test_a_secret_is_to_be_confirmed_within_an_hour(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    secret = begin(client)
    with shifted(timedelta(minutes=61)):
        sign_in(client, person)
        assert client.get(f"{PAGES}/confirm").location == PAGES
        assert client.post(f"{PAGES}/confirm", data={"code": code_of(secret)}).location == PAGES


def test_beginning_again_gives_another_secret(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    first, second = begin(client), begin(client)
    assert first != second
    assert client.post(f"{PAGES}/confirm", data={"code": code_of(first)}).status_code == 422
    assert client.post(f"{PAGES}/confirm", data={"code": code_of(second)}).status_code == 200
    assert client.post(PAGES, data={"password": "una clave de prueba"}).status_code == 409


def test_a_session_alone_neither_sets_up_nor_takes_away(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    for path in ("/remove", "/recovery-codes"):
        for password, code in (("wrong", enrolled.code(1)), ("una clave de prueba", "000000"), ("", "")):
            answer = client.post(PAGES + path, data={"password": password, "code": code})
            assert answer.status_code == 422, (path, password)
    with app.app_context():
        newcomer = a_person()
    other = app.test_client()
    sign_in(other, newcomer)
    assert other.post(PAGES, data={"password": "wrong"}).status_code == 422
    assert other.get(f"{PAGES}/confirm").location == PAGES


def test_the_page_says_whose_code_it_wants(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    page = client.get("/sign-in/code?next=/account/password").text
    assert person.name in page
    assert 'href="/sign-in?again=1&amp;next=/account/password"' in page


def test_the_person_is_told_by_mail(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    client.post(f"{PAGES}/remove", data=proof)
    with app.app_context():
        query = "SELECT args->>'to', args->>'subject' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"
        told = session().execute(text(f"{query} ORDER BY id")).all()
    assert [to for to, _subject in told] == [person.email] * 2
    assert ["configuró" in subject for _to, subject in told] == [True, False]


def test_it_is_removed_with_password_and_code(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    assert client.post(f"{PAGES}/remove", data=proof).status_code == 303
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert living(app).acr == ONE
    assert "identity:second-factor:removed" in tags(app)


def test_an_operator_takes_it_away(app: Flask, context: None, client: FlaskClient) -> None:
    person = a_test_person_with_code()
    remove_for(str(person.run))
    assert person.second_factor is None
    with pytest.raises(NotEnrolled):
        remove_for(str(person.run))
    with pytest.raises(NotFound):
        remove_for("12.345.678-5")


def test_new_recovery_codes_end_the_old_ones(client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    proof = {"password": "una clave de prueba", "code": enrolled.recovery_codes[0]}
    new = recovery_codes_shown(client.post(f"{PAGES}/recovery-codes", data=proof))
    client.post("/sign-out")
    sign_in(client, person)
    assert give_code(client, enrolled.recovery_codes[1]).status_code == 422
    assert give_code(client, new[1]).status_code == 303


def test_only_when_an_application_asks(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    sign_in(client, person)
    give_code(client, enrolled.code())
    assert client.post(f"{PAGES}/use", data={"use": "never"}).status_code == 422
    assert client.post(f"{PAGES}/use", data={"use": "when asked"}).status_code == 303
    client.post("/sign-out")
    assert sign_in(client, person).location == "/account"
    assert living(app).acr == ONE


def test_a_session_of_the_password_alone_does_not_weaken_it(app: Flask, client: FlaskClient, person: Person) -> None:
    older = app.test_client()
    sign_in(older, person)
    enrolled = enrol(client, person)
    asked = older.post(f"{PAGES}/use", data={"use": "when asked"})
    assert asked.location.startswith("/sign-in/code?")
    with app.app_context():
        assert session().scalars(select(Person.second_factor)).one() == "always"
    assert give_code(older, enrolled.code()).status_code == 303
    assert older.post(f"{PAGES}/use", data={"use": "when asked"}).location == PAGES


def test_a_living_session_is_raised_under_a_new_cookie_and_the_same_sid(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_test_person_with_code()
    sign_in(client, person)
    before, cookie = living(app), client.get_cookie(COOKIE)
    thief = app.test_client()
    assert cookie is not None
    thief.set_cookie(COOKIE, cookie.value)
    with shifted(timedelta(minutes=5)):
        code = code_of(SECRET)
        assert give_code(client, code, "/account/applications").location == "/account/applications"
        assert is_signed_in(client)
        assert not is_signed_in(thief)
    after = living(app)
    assert (before.acr, after.acr) == (ONE, TWO)
    assert (before.sid, before.authenticated_at) == (after.sid, after.authenticated_at)
    # Nobody asks again of whoever has given it.
    assert client.get("/sign-in/code").status_code == 303


def test_test_persons_keep_what_they_have(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_test_person_with_code()
        without = a_person(is_test_person=True)
    sign_in(client, person)
    password = {"password": "una clave de prueba"}
    code = {"code": code_of(SECRET)}
    assert client.post(f"{PAGES}/remove", data={**password, **code}).status_code == 409
    assert client.post(f"{PAGES}/recovery-codes", data={**password, **code}).status_code == 409
    assert client.post(f"{PAGES}/use", data={"use": "always"}).status_code == 409
    sign_in(client, without)
    assert client.post(PAGES, data=password).status_code == 409


def test_strangers_who_share_a_test_person_do_not_shut_each_other_out(app: Flask) -> None:
    with app.app_context():
        person = a_test_person_with_code()
    here, there = app.test_client(), app.test_client()
    code = code_of(SECRET)
    for browser in (here, there):
        sign_in(browser, person)
    for _guess in range(7):
        give_code(here, "000000")
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    answer = there.post("/sign-in/code", data={"code": code}, environ_base=elsewhere)
    assert answer.status_code == 303
    assert here.post("/sign-in/code", data={"code": code}).status_code == 429


def test_the_sandbox_shows_the_code_of_its_persons_and_of_no_other(
    app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled
) -> None:
    with app.app_context():
        shared = a_test_person_with_code()
    sign_in(client, person)
    assert enrolled.code() not in client.get("/sign-in/code").text
    browser = app.test_client()
    sign_in(browser, shared)
    assert code_of(SECRET) in browser.get("/sign-in/code").text


def test_a_sign_in_without_it_says_no_more_to_the_database(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with counted() as statements:
        sign_in(client, person)
    assert statements
    assert not re.search(r"(FROM|JOIN|INTO|UPDATE) second_factor", " ".join(statements))


def test_two_at_once_use_a_code_once(app: Flask, client: FlaskClient, person: Person, enrolled: Enrolled) -> None:
    browsers = [app.test_client() for _one in range(4)]
    for browser in browsers:
        sign_in(browser, person)
    code = enrolled.code()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda browser: give_code(browser, code).status_code, browsers))
    assert sorted(answers) == [303, 422, 422, 422]
