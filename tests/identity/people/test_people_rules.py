"""RUN, names and passwords: the rules alone."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cl import rut

from identity.people import rules
from identity.people.rules import Run, check_new_password, clean_email, clean_names, parse_run
from kernel.base.errors import Invalid

PEPPER = b"a pepper of the tests"


@pytest.mark.parametrize(
    "run",
    [
        "11111111-1",
        "12345678-5",
        "44444444-4",
        "55555555-5",
        "88888888-8",
        "99999999-9",
        "1000005-K",
        "10000013-K",
        "10000004-0",
    ],
)
def test_known_runs_are_accepted(run: str) -> None:
    assert str(parse_run(run)).replace(".", "") == run


@pytest.mark.parametrize(
    "spelling",
    [
        "10.000.013-K",
        "10000013k",
        " 10 000 013 - k ",
        "010.000.013-K",
        "10.000.013–K",
        "１０００００１３Ｋ",
        "10,000,013-K",
    ],
)
def test_any_spelling_is_the_same_run(spelling: str) -> None:
    assert parse_run(spelling) == Run(10000013, "K")


@given(st.integers(1, rules.HIGHEST_RUN))
def test_every_number_has_exactly_one_check_digit(number: int) -> None:
    fitting = [dv for dv in "0123456789K" if _accepts(f"{number}-{dv}")]
    assert fitting == [rut.calc_check_digit(str(number))]


@given(st.integers(1_000_000, rules.HIGHEST_RUN))
def test_what_is_shown_reads_back_and_is_how_the_library_writes_it(number: int) -> None:
    run = Run(number, rut.calc_check_digit(str(number)))
    assert parse_run(str(run)) == run
    assert str(run) == rut.format(str(run))


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(Invalid):
        assert 1 <= parse_run(text).number <= rules.HIGHEST_RUN


@pytest.mark.parametrize(
    "text", ["", "-", "K", "0-0", "00000000-0", "12.345.678-9", "123456789012-3", "12a45678-5", "1" * 5000]
)
def test_what_is_no_run_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_run(text, field="person_run")
    assert list(refused.value.fields) == ["person_run"]


def _accepts(text: str) -> bool:
    try:
        parse_run(text)
    except Invalid:
        return False
    return True


def test_names_lose_stray_spaces_and_empty_ones() -> None:
    assert clean_names(["  María  José ", " "], "given_names", required=True) == ["María José"]


@pytest.mark.parametrize("names", [[], [" "], ["a" * 101], ["a"] * 11, ["Ana\x00"], ["Ana\u202e"]])
def test_names_that_cannot_be_are_refused(names: list[str]) -> None:
    with pytest.raises(Invalid):
        clean_names(names, "given_names", required=True)


def test_no_email_is_none() -> None:
    assert clean_email(" ") is None
    assert clean_email(" ana@correo.ejemplo.cl ") == "ana@correo.ejemplo.cl"


@pytest.mark.parametrize(
    "email", ["ana", "ana@", "@ejemplo.cl", "a@b", "ana@ejemplo.cl\nBcc: x@y.cl", "a b@ejemplo.cl", "a@-x.cl"]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        clean_email(email)


@pytest.mark.parametrize("password", ["", "siete77", "a" * 129, "aaaaaaaaaa", "ababababab"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_new_password(password)


def test_a_password_counts_its_letters_and_not_its_bytes() -> None:
    check_new_password("ñandúñandú")
    check_new_password("é" * 60 + "abc" + "ñ" * 65)


def test_a_password_typed_with_combining_accents_is_the_same() -> None:
    stored = rules.hash_password("contraseña", PEPPER)
    assert rules.password_matches("contrasen\u0303a", stored, PEPPER)
    assert not rules.password_matches("contrasena", stored, PEPPER)


def test_a_stolen_hash_is_useless_without_the_pepper() -> None:
    stored = rules.hash_password("contraseña", PEPPER)
    assert not rules.password_matches("contraseña", stored, b"another")


def test_nobodys_hash_costs_what_everybodys_costs(dear_passwords: None) -> None:
    assert "m=19456,t=2,p=1" in rules.hash_password("contraseña", PEPPER)
    assert not rules.needs_rehash(rules.DUMMY_HASH)
    assert rules.needs_rehash("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng")


def test_a_broken_hash_matches_nothing() -> None:
    assert not rules.password_matches("x", "", PEPPER)
