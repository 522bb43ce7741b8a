"""Parties: one value for whoever something is for, and its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.base.parties import ALONE, ANYBODY, OPERATOR, Party, PartyKind

named = st.builds(Party, st.sampled_from(sorted(set(PartyKind) - ALONE)), st.text(min_size=1))


@given(st.one_of(named, st.sampled_from([OPERATOR, ANYBODY])))
def test_a_party_is_what_its_text_says(party: Party) -> None:
    assert Party.parse(str(party)) == party


@pytest.mark.parametrize(
    "text", ["", "agency", "agency:", "operator:1", "ministry:AE001", "AE001", "Agency:AE001", " agency:AE001"]
)
def test_what_names_nobody_is_no_party(text: str) -> None:
    with pytest.raises(ValueError, match=r"party|PartyKind"):
        Party.parse(text)


def test_only_an_agency_has_a_code() -> None:
    assert Party.agency("AE001").agency_code == "AE001"
    assert str(Party.agency("AE001")) == "agency:AE001"
    assert [one.agency_code for one in (Party.developer("1"), OPERATOR, ANYBODY)] == [None, None, None]
