"""The key store in an HSM, against SoftHSM2."""

import pytest
from builders.hsm import needs_hsm
from joserfc.jws import JWSRegistry
from sqlalchemy.orm import Session

from kernel.base.errors import Unavailable
from kernel.keys.signatures import ALGORITHMS
from kernel.keys.stores import KeyMissing, import_key
from kernel.keys.stores_pkcs11 import Pkcs11KeyStore

pytestmark = needs_hsm
NO_TRANSACTION = Session()
"""An HSM keeps the private half whatever becomes of the public one."""


@pytest.fixture
def store(hsm: dict[str, str]) -> Pkcs11KeyStore:
    return Pkcs11KeyStore(hsm["pkcs11_library"], hsm["pkcs11_token"], hsm["pkcs11_pin"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_hsm_signs_its_public_key_verifies_and_no_other(store: Pkcs11KeyStore, algorithm: str) -> None:
    public, other = store.create(algorithm, NO_TRANSACTION), store.create(algorithm, NO_TRANSACTION)
    assert public["alg"] == algorithm
    assert public["kid"] == import_key(public).thumbprint()
    signature = store.sign(public["kid"], algorithm, b"something")
    verify = JWSRegistry.algorithms[algorithm].verify
    assert verify(b"something", signature, import_key(public))
    assert not verify(b"something else", signature, import_key(public))
    assert not verify(b"something", signature, import_key(other))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_private_part_leaves_the_hsm(store: Pkcs11KeyStore, algorithm: str) -> None:
    assert not {"d", "p", "q"} & set(store.create(algorithm, NO_TRANSACTION))


def test_a_key_that_is_not_there_is_said_to_be_missing(store: Pkcs11KeyStore) -> None:
    with pytest.raises(KeyMissing):
        store.sign("nobody", "ES256", b"something")


def test_an_hsm_that_refuses_us_is_unavailable(hsm: dict[str, str]) -> None:
    with pytest.raises(Unavailable):
        Pkcs11KeyStore(hsm["pkcs11_library"], "another token", hsm["pkcs11_pin"]).create("ES256", NO_TRANSACTION)
