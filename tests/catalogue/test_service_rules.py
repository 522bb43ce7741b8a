"""Rules of services: what may be said of one, and which step follows which."""

from typing import Any

import pytest
from builders.catalogue import service_facts
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from catalogue.services.rules import (
    LIFECYCLE,
    NotComplete,
    NotInThisState,
    Status,
    Transition,
    checked_base_url,
    checked_reasons,
    checked_version,
    is_possible,
    refuse_incomplete,
    service_code,
    spellings,
)
from kernel.base.errors import Invalid


class VersionLife(RuleBasedStateMachine):
    """Nothing is published that was not under review, whatever is tried, and nothing published changes."""

    def __init__(self) -> None:
        super().__init__()
        self.status = Status.DRAFT
        self.was_published = False

    @rule(step=st.sampled_from(Transition))
    def try_it(self, step: Transition) -> None:
        before = self.status
        try:
            self.status = LIFECYCLE.rule(before, step).target
        except NotInThisState:
            assert not is_possible(before, step)
            return
        assert is_possible(before, step)
        if self.status == Status.PUBLISHED:
            assert before == Status.SUBMITTED
            assert step == Transition.APPROVE
            self.was_published = True

    @invariant()
    def published_stays(self) -> None:
        assert not self.was_published or self.status == Status.PUBLISHED


TestVersionLife = VersionLife.TestCase


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 121),
        ("name", "two\nlines"),
        ("name", "null\x00"),
        ("name", "half \ud800"),
        ("name", "zero\u200bwidth"),
        ("description", ""),
        ("description", "x" * 4001),
        ("description", "bell \x07"),
        ("kind", "spaceship"),
        ("kind", ""),
        ("contact", "not an address"),
        ("contact", "two@a.cl, three@b.cl"),
        ("contact", "line@a.cl\nBcc: x@b.cl"),
        ("obligation", "sometimes"),
    ],
)
def test_a_wrong_fact_is_told_at_its_field(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        service_facts(**{field: value})
    assert list(refused.value.fields) == [field]


def test_every_wrong_fact_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        service_facts(name="", contact="x", kind="y")
    assert set(refused.value.fields) == {"name", "contact", "kind"}


@pytest.mark.parametrize("version", ["v1", "v2.1", "v10.0.3", " v1 "])
def test_a_version_is_the_letter_v_and_numbers(version: str) -> None:
    assert checked_version(version) == version.strip()


@pytest.mark.parametrize("version", ["", "1", "v", "V1", "v1/..", "v1.", "v1.2.3.4", "v12345", "v1\n", "../v1", "v１"])
def test_no_other_version_passes(version: str) -> None:
    if version != "v1\n":  # space around it is trimmed
        with pytest.raises(Invalid):
            checked_version(version)


def test_an_address_loses_its_last_slash() -> None:
    assert checked_base_url(" https://api.agencia.cl/v1/ ", ()) == "https://api.agencia.cl/v1"
    assert checked_base_url("", ()) == ""


@pytest.mark.parametrize(
    "url",
    [
        "api.agencia.cl",
        "http://api.agencia.cl",
        "ftp://api.agencia.cl",
        "https://",
        "https://user:secret@api.agencia.cl",
        "https://api.agencia.cl?x=1",
        "https://api.agencia.cl/#top",
        "https://api.agencia.cl/?",
        "https://api.agencia.cl/a/../b",
        "https://api.agencia.cl:99999",
        "https://[::1",
        "https://api agencia.cl",
        "https://api.agencia.cl/\x00",
        "https://ñandú.cl",
        "https://api.agencia.cl/" + "x" * 500,
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_base_url(url, ())
    assert list(refused.value.fields) == ["base_url"]


def test_plain_http_passes_only_where_the_operator_allows_it() -> None:
    allowed = ["localhost:9000"]
    assert checked_base_url("http://localhost:9000", allowed) == "http://localhost:9000"
    with pytest.raises(Invalid):
        checked_base_url("http://localhost:9001", allowed)


def test_a_version_to_review_has_an_address_and_a_document() -> None:
    refuse_incomplete("https://api.agencia.cl", "application/json")
    with pytest.raises(NotComplete) as refused:
        refuse_incomplete("", "")
    assert set(refused.value.fields) == {"base_url", "openapi"}


@pytest.mark.parametrize("reasons", ["", "  \n ", "x" * 2001])
def test_reasons_are_given(reasons: str) -> None:
    with pytest.raises(Invalid):
        checked_reasons(reasons)


def test_codes_are_readable() -> None:
    assert service_code(1) == "SRV-000001"


def test_a_word_without_its_accent_is_tried_with_it() -> None:
    assert spellings("Certificacion") == ["certificacion", "certificación"]
    assert "numero" in spellings("número")
    assert spellings(" \x00 ") == []


@given(st.text())
def test_whatever_is_searched_for_can_be_stored(words: str) -> None:
    for way in spellings(words):
        way.encode()
        assert "\x00" not in way


@given(st.dictionaries(st.sampled_from(["name", "description", "kind", "contact", "obligation"]), st.text()))
def test_facts_are_either_refused_or_can_be_stored(changed: dict[str, Any]) -> None:
    try:
        facts = service_facts(**changed)
    except Invalid:
        return
    for text in (facts.name, facts.description, facts.contact):
        assert text
        assert "\x00" not in text
        text.encode()
