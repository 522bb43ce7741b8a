"""Keys are replaced by schedule, and nobody's verification fails meanwhile."""

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from builders.waiting import wait_until
from flask import Flask
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from sqlalchemy import func, select

from kernel.base.clock import now, shifted
from kernel.base.settings import Settings
from kernel.database.db import session
from kernel.keys import signatures
from kernel.keys.signatures import (
    ROTATED_PURPOSES,
    SigningKey,
    ensure_key,
    keys_to_rotate,
    public_jwks,
    rotate_key,
    rotate_old_keys,
)
from portal.app import create_app

HOUR = timedelta(hours=1)


def _published() -> KeySet:
    """The key set as whoever verifies reads it."""
    return KeySet.import_key_set(cast(KeySetSerialization, public_jwks("openid")))


@pytest.mark.parametrize("algorithm", signatures.ALGORITHMS)
def test_each_algorithm_signs_what_its_published_key_verifies(app: Flask, algorithm: str) -> None:
    with app.app_context():
        signed = signatures.jws("openid", {"alg": algorithm}, b'{"n":1}', algorithm).text
        published = _published()
        assert jwt.decode(signed, published, algorithms=[algorithm]).claims == {"n": 1}


def test_old_keys_of_ours_are_replaced_once_and_an_agencys_never(app: Flask) -> None:
    ROTATED_PURPOSES.fill(app, ["openid"])
    with app.app_context():
        ensure_key("openid", "ES256")
        ensure_key("openid", "RS256")
        ensure_key("agency:AE001")
        rotate_old_keys()
        assert len(public_jwks("openid")["keys"]) == 2
    with app.app_context(), shifted(timedelta(days=91)):
        assert keys_to_rotate(now() - timedelta(days=90)) == [("openid", "ES256"), ("openid", "RS256")]
        rotate_old_keys()
        rotate_old_keys()
        assert len(public_jwks("openid")["keys"]) == 4
        assert len(public_jwks("agency:AE001")["keys"]) == 1


def test_the_next_key_is_published_before_it_signs_and_the_last_one_stays_after(app: Flask) -> None:
    with app.app_context():
        old = ensure_key("openid")
        new = rotate_key("openid", "ES256").kid
        assert ensure_key("openid") == old
        assert {key["kid"] for key in public_jwks("openid")["keys"]} == {old, new}
    with app.app_context(), shifted(timedelta(hours=25)):
        assert ensure_key("openid") == new
        assert {key["kid"] for key in public_jwks("openid")["keys"]} == {old, new}
    with app.app_context(), shifted(timedelta(days=4)):
        assert {key["kid"] for key in public_jwks("openid")["keys"]} == {new}


def test_no_verification_fails_while_keys_rotate_under_load(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two applications sign without a pause and each signature is verified with what was last read of the keys."""
    monkeypatch.setattr(signatures, "CACHED_SECONDS", 0.1)
    signers = [app, create_app(replace(settings))]
    published: list[KeySet] = []
    stop, failures, verified, kids = threading.Event(), [], [], set()

    def read_keys() -> None:
        with app.app_context():
            published[:] = [_published()]

    def sign_and_verify(signer: Flask) -> None:
        while not stop.is_set():
            with signer.app_context():
                signed, key = signatures.jws("openid", {"alg": "ES256"}, b'{"n":1}')
            try:
                jwt.decode(signed, published[0])
            except (JoseError, ValueError) as error:
                failures.append(error)
            verified.append(key["kid"])
            kids.add(key["kid"])
            time.sleep(0.002)

    def keep_reading() -> None:
        while not stop.is_set():
            read_keys()
            time.sleep(0.05)

    with app.app_context():
        ensure_key("openid")
    read_keys()
    threads = [threading.Thread(target=sign_and_verify, args=(signer,)) for signer in signers]
    threads.append(threading.Thread(target=keep_reading))
    for thread in threads:
        thread.start()
    try:
        with ExitStack() as later:
            for _ in range(4):
                with app.app_context():
                    coming = rotate_key("openid", "ES256", signs_in=HOUR).kid
                wait_until(lambda kid=coming: kid in {key.kid for key in published[0].keys})  # type: ignore[misc]
                later.enter_context(shifted(HOUR))
                wait_until(lambda kid=coming: kid in kids)  # type: ignore[misc]
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(kids) == 5
    assert len(verified) > 20


def test_keys_that_are_not_ours_do_not_verify(app: Flask) -> None:
    with app.app_context():
        signed = signatures.jws("evidence", {"alg": "ES256"}, b'{"n":1}').text
        ensure_key("openid")
        with pytest.raises((JoseError, ValueError)):
            jwt.decode(signed, _published())
        assert session().scalar(select(func.count()).select_from(SigningKey)) == 2
