"""The key store in an HSM, against SoftHSM2. `.ci/system-packages` installs it where it may."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.errors import BadSignatureError

from kernel.errors import Unavailable
from kernel.keys import public_jwks, rotate_key, signing_key, verification_keys
from kernel.keystores import KeyMissing, import_key
from kernel.keystores_pkcs11 import Pkcs11KeyStore
from kernel.settings import Settings
from portal.app import create_app

LIBRARIES = [
    path
    for pattern in ("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so", "*/pkcs11/libsofthsm2.so")
    for root in (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))
    for path in root.glob(pattern)
]
PIN = "1234"
ALGORITHMS = ("ES256", "RS256", "EdDSA")

pytestmark = [
    pytest.mark.skipif(not LIBRARIES or not shutil.which("softhsm2-util"), reason="there is no SoftHSM2 here"),
    pytest.mark.xdist_group("pkcs11"),
]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A new token; the library reads its configuration once a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        made = ["softhsm2-util", "--init-token", "--free", "--label", "cordillera", "--pin", PIN, "--so-pin", PIN]
        subprocess.run(made, check=True, capture_output=True)
        yield "cordillera"


@pytest.fixture
def store(token: str) -> Pkcs11KeyStore:
    return Pkcs11KeyStore(str(LIBRARIES[0]), token, PIN)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_hsm_signs_its_public_key_verifies(store: Pkcs11KeyStore, algorithm: str) -> None:
    public = store.create(algorithm)
    assert public["alg"] == algorithm
    assert public["kid"] == import_key(public).thumbprint()
    key = store.private(public["kid"], algorithm)
    signed = jwt.encode({"alg": algorithm}, {"n": 1}, key, algorithms=[algorithm])
    assert jwt.decode(signed, import_key(public), algorithms=[algorithm]).claims == {"n": 1}
    other = store.create(algorithm)
    with pytest.raises(BadSignatureError):
        jwt.decode(signed, import_key({**other, "kid": public["kid"]}), algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_private_part_leaves_the_hsm(store: Pkcs11KeyStore, algorithm: str) -> None:
    key = store.private(store.create(algorithm)["kid"], algorithm)
    assert not {"d", "p", "q"} & set(key.as_dict())
    assert not key.is_private


def test_a_key_that_is_not_there_is_said_to_be_missing(store: Pkcs11KeyStore) -> None:
    with pytest.raises(KeyMissing):
        store.private("nobody", "ES256")


def test_an_hsm_that_refuses_us_is_unavailable(token: str) -> None:
    with pytest.raises(Unavailable):
        Pkcs11KeyStore(str(LIBRARIES[0]), "another token", PIN).create("ES256")


def test_the_application_signs_and_rotates_in_the_hsm(app: Flask, settings: Settings, token: str) -> None:
    inside = replace(settings, key_store="pkcs11", pkcs11_library=str(LIBRARIES[0]), pkcs11_token=token, pkcs11_pin=PIN)
    with create_app(inside).app_context():
        first = signing_key("openid")
        signed = jwt.encode({"alg": "ES256", "kid": first.kid}, {"n": 1}, first)
        rotate_key("openid", "ES256")
        assert len(public_jwks("openid")["keys"]) == 2
        assert jwt.decode(signed, verification_keys("openid")).claims == {"n": 1}
        assert not list((settings.data_dir / "keys").glob("*.key"))
