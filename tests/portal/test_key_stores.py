"""Every purpose signs on every key store, and a private half that is lost or elsewhere ends no signing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from builders.apps import under_test
from builders.clients import a_system, machine_token
from builders.hsm import needs_hsm
from builders.identity import an_agency
from flask import Flask
from joserfc import jws as joserfc_jws
from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from interoperability.directory.actions import sign_for_officials
from interoperability.evidence import queries as evidence
from interoperability.evidence.actions import append, sign_receipt
from interoperability.evidence.rules import check_signature, public_bytes
from kernel.base.clock import shifted
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, new_session, session
from kernel.jobs.access import AgencyRef, Principal, act_as
from kernel.keys import signatures
from kernel.keys.signatures import SigningKey, jws, public_jwks, rotate_key, sign
from kernel.keys.stores_database import PrivateKey
from kernel.recording import sealing
from kernel.recording.audit import AuditEvent
from kernel.recording.work import Work, action
from portal.app import create_app

Node = Callable[..., Flask]
SYSTEM = Principal(kind="system", id="test", name="The test")


@pytest.fixture
def node(settings: Settings, tmp_path: Path) -> Iterator[Node]:
    """An application of the one installation, with a disk and a memory of its own."""
    started = []

    def start(disk: str, **changed: Any) -> Flask:
        application = under_test(create_app(replace(settings, data_dir=tmp_path / disk, **changed)))
        started.append(application)
        return application

    yield start
    for each in started:
        ENGINE.of(each).dispose()


@pytest.fixture(params=["database", "files", pytest.param("pkcs11", marks=needs_hsm)])
def stored(request: pytest.FixtureRequest, node: Node) -> Flask:
    """An application for each key store."""
    if request.param == "pkcs11":
        return node("disk", **request.getfixturevalue("hsm"))
    return node("disk", key_store=request.param)


@contextmanager
def acting(app: Flask) -> Iterator[None]:
    with app.app_context():
        act_as(SYSTEM)
        yield


def published(jwks: dict[str, Any]) -> KeySet:
    return KeySet.import_key_set(cast(KeySetSerialization, jwks))


def verified_kid(text: str, algorithm: str = "ES256", purpose: str = "openid") -> str:
    """The published key that verifies it. Raises JoseError, ValueError."""
    found = joserfc_jws.deserialize_compact(text, published(public_jwks(purpose)), algorithms=[algorithm])
    return str(found.headers()["kid"])


# ---- every purpose ----


@pytest.mark.parametrize("algorithm", signatures.ALGORITHMS)
def test_tokens_are_signed_by_every_algorithm(stored: Flask, algorithm: str) -> None:
    with acting(stored):
        first = verified_kid(jws("openid", {"alg": algorithm}, b"{}", algorithm).text, algorithm)
        rotate_key("openid", algorithm)
        assert verified_kid(jws("openid", {"alg": algorithm}, b"{}", algorithm).text, algorithm) == first
    with acting(stored), shifted(timedelta(hours=25)):
        assert verified_kid(jws("openid", {"alg": algorithm}, b"{}", algorithm).text, algorithm) != first


def test_a_system_gets_a_token_that_the_published_keys_verify(stored: Flask) -> None:
    with acting(stored):
        an_agency("AE001")
        system = a_system("AE001")
    browser = stored.test_client()
    token = machine_token(browser, system)
    ours = published(browser.get("/openid/jwks").get_json())
    assert jwt.decode(token, ours, algorithms=["ES256"]).claims["client_id"] == system.client.client_id


@action
def note(work: Work) -> None:
    append(work, "test:noted", "test:1", {})
    work.record("test:noted", "test:1")


def test_the_evidence_is_sealed_and_receipts_are_signed(stored: Flask) -> None:
    with acting(stored):
        note()
    sealing.seal_all(stored)
    with acting(stored):
        found = evidence.audit()
        assert (found.broken, found.unsealed, found.entries, found.checkpoints) == (None, 0, 1, 1)
        key, signature = sign_receipt(b"the receipt")
        public = public_bytes(key)
        assert public is not None
        check_signature(public, signature, b"the receipt")


def test_an_agencys_officials_sign_with_the_key_kept_for_them(stored: Flask) -> None:
    with acting(stored):
        signed = sign_for_officials(AgencyRef("AE001", "Servicio de Prueba"), b"a letter")
        assert verified_kid(signed, purpose="agency:AE001")


# ---- in the database ----


def test_by_default_keys_are_in_the_database_sealed_and_nothing_is_on_the_disk(node: Node, tmp_path: Path) -> None:
    with acting(node("disk")):
        sign("openid", b"something")
        [kept] = session().scalars(select(PrivateKey))
    assert b'"d"' not in kept.sealed
    assert not list(tmp_path.rglob("*.key"))


def test_what_one_node_signs_with_the_other_signs_with_too(node: Node) -> None:
    kids = set()
    for disk in ("one", "another"):
        with acting(node(disk)):
            kids.add(verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text))
    assert len(kids) == 1


def test_keys_that_an_earlier_version_left_in_files_go_on_signing_on_every_node(node: Node) -> None:
    with acting(node("one", key_store="files")):
        old = verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text)
        coming = rotate_key("openid", "ES256").kid
    with acting(node("one")):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) == old
    with acting(node("another")):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) == old
    with acting(node("a third")), shifted(timedelta(hours=25)):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) == coming


def test_a_sealed_key_is_not_taken_for_another_one(node: Node) -> None:
    with acting(node("one")):
        kid = verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text)
        verified_kid(jws("evidence", {"alg": "ES256"}, b"{}").text, purpose="evidence")
        of_evidence = select(PrivateKey.sealed).where(PrivateKey.kid != kid).scalar_subquery()
        session().execute(update(PrivateKey).where(PrivateKey.kid == kid).values(sealed=of_evidence))
        session().commit()
    with acting(node("another")):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) != kid


# ---- a private half that is not here ----


def test_a_lost_private_half_is_replaced_at_once_and_told(node: Node) -> None:
    with acting(node("one")):
        lost = jws("openid", {"alg": "ES256"}, b"{}").text
        session().execute(delete(PrivateKey))
        session().commit()
    with acting(node("another")):
        kids = [verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) for _ in range(3)]
        assert len(set(kids)) == 1
        assert verified_kid(lost) not in kids
        made = select(func.count()).select_from(AuditEvent).where(AuditEvent.tag == "kernel:key:created")
        assert session().scalar(made) == 2
    with acting(node("a third")):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) == kids[0]


def test_the_next_key_stands_in_for_one_that_is_lost(node: Node) -> None:
    with acting(node("one")):
        old = verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text)
        coming = rotate_key("openid", "ES256").kid
        session().execute(delete(PrivateKey).where(PrivateKey.kid == old))
        session().commit()
    with acting(node("another")):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) == coming


def test_nothing_is_signed_with_a_key_that_is_retired_before_the_signature_expires(node: Node) -> None:
    with acting(node("one")):
        old = verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text)
        coming = rotate_key("openid", "ES256").kid
        session().execute(delete(PrivateKey).where(PrivateKey.kid == coming))
        session().commit()
    with acting(node("another")), shifted(timedelta(hours=25)):
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) not in (old, coming)


def test_a_key_is_there_for_all_even_if_the_change_that_asked_for_it_fails(node: Node) -> None:
    @action
    def fails(work: Work) -> None:
        signed.append(jws("agency:AE001", {"alg": "ES256"}, b"{}").text)
        raise ValueError

    signed: list[str] = []
    with acting(node("one")):
        with pytest.raises(ValueError):
            fails()
        assert verified_kid(signed[0], purpose="agency:AE001")
        assert verified_kid(jws("agency:AE001", {"alg": "ES256"}, b"{}").text, purpose="agency:AE001")


def test_a_node_that_has_none_of_several_keys_makes_one(node: Node) -> None:
    """It remembers the keys of a moment ago, and finds another one of which it has nothing when it looks again."""
    node_without = node("another", key_store="files")
    with acting(node("one", key_store="files")):
        sign("openid", b"something")
    with acting(node_without):
        signatures.verification_keys("openid")
    with acting(node("a third", key_store="files")):
        others = [key["kid"] for key in public_jwks("openid")["keys"]]
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) not in others
    with acting(node_without):
        others = [key["kid"] for key in public_jwks("openid")["keys"]]
        signatures._keys().published["openid"] = time.monotonic(), signatures._read_published("openid")[1:]
        assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text) not in others


def test_a_process_that_stands_still_while_it_makes_a_key_keeps_others_waiting_for_a_limited_time(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "LONGEST_IDLE_MS", 500)
    with acting(node("one")), new_session() as frozen:
        signatures._lock(frozen, "openid", "ES256")
        with acting(node("another")):
            assert verified_kid(jws("openid", {"alg": "ES256"}, b"{}").text)
        with pytest.raises(DBAPIError):
            frozen.execute(text("SELECT 1"))


def test_nodes_that_keep_keys_in_files_of_their_own_sign_and_verify_each_others_work(node: Node) -> None:
    one, another = node("one", key_store="files"), node("another", key_store="files")
    for hours in (0, 25, 50):
        with shifted(timedelta(hours=hours)):
            signed = []
            for each in (one, another, one, another):
                with acting(each):
                    signed.append(jws("openid", {"alg": "ES256"}, json.dumps({"n": hours}).encode()).text)
            for each in (one, another):
                with acting(each):
                    assert all(verified_kid(text) for text in signed)
            with acting(one):
                rotate_key("openid", "ES256")


def test_keys_of_the_same_purpose_are_replaced_together(node: Node) -> None:
    for disk in ("one", "another"):
        with acting(node(disk, key_store="files")):
            sign("openid", b"something")
    with acting(node("one", key_store="files")), shifted(timedelta(days=91)):
        signatures.rotate_old_keys()
        rows = session().scalars(select(SigningKey)).all()
        assert [row.retires_at is None for row in sorted(rows, key=lambda row: row.created_at)] == [False, False, True]
