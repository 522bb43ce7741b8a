"""A sealed value opens only with the same key, for the same owner, unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.base.crypto import SealBroken, seal, unseal

KEY, OTHER = b"k" * 32, b"o" * 32


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_comes_back(plain: bytes, owner: str) -> None:
    assert unseal(KEY, seal(KEY, plain, owner), owner) == plain


@given(st.binary(max_size=50), st.integers(0, 500))
def test_a_changed_byte_is_noticed(plain: bytes, place: int) -> None:
    sealed = bytearray(seal(KEY, plain, "owner"))
    sealed[place % len(sealed)] ^= 1
    with pytest.raises(SealBroken):
        unseal(KEY, bytes(sealed), "owner")


@pytest.mark.parametrize(("key", "owner"), [(OTHER, "owner"), (KEY, "another")])
def test_another_key_or_owner_opens_nothing(key: bytes, owner: str) -> None:
    with pytest.raises(SealBroken):
        unseal(key, seal(KEY, b"secret", "owner"), owner)


@pytest.mark.parametrize("garbage", [b"", b"short", b"x" * 12, b"x" * 40])
def test_garbage_is_not_a_seal(garbage: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, garbage, "owner")
