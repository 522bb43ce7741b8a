"""Receipts: they hold offline, and any change to them shows."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.interoperability import AE001, Network, a_key, a_pdf, signed
from click.testing import CliRunner
from flask import Flask
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from interoperability.directory.actions import revoke_key
from interoperability.evidence import rules as log
from interoperability.evidence.rules import thumbprint
from interoperability.receipts import rules
from kernel.keys.signatures import rotate_key
from portal.cli.evidence import evidence


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def holds(content: bytes, pinned: list[dict[str, Any]] | None = None) -> bool:
    checks = rules.verify(content, pinned)
    return bool(checks) and all(check.ok for check in checks)


def acknowledged(network: Network) -> str:
    code = network.sent(annexes=[("a.txt", b"anexo")])
    network.get("AE002", f"/communications/{code}/documents/1")
    network.post("AE002", f"/communications/{code}/acknowledgement")
    network.seal()
    return code


def test_a_receipt_tells_the_whole_story_and_holds(network: Network) -> None:
    code = acknowledged(network)
    content = network.receipt(code)
    checks = rules.verify(content)
    assert [check.ok for check in checks] == [True] * 7, checks
    assert "AE002: acknowledged" in checks[4].why
    assert [entry["statement"]["kind"] for entry in json.loads(content)["entries"]] == [
        "directory:key:registered",
        "communication:sent",
        "communication:available",
        "communication:downloaded",
        "communication:acknowledged",
    ]
    assert holds(network.receipt(code, "AE002"))


def test_a_receipt_waits_for_the_sealer(network: Network) -> None:
    code = network.send().get_json()["code"]
    answer = network.get("AE001", f"/communications/{code}/receipt")
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    assert answer.get_json()["type"].endswith("/receipt-not-ready")
    network.seal()
    assert holds(network.receipt(code))


def test_a_receipt_of_a_larger_log_holds_as_well(network: Network) -> None:
    codes = [network.sent() for _each in range(5)]
    assert all(holds(network.receipt(code)) for code in codes)


def test_a_receipt_of_before_a_key_change_still_holds_under_the_published_keys(network: Network) -> None:
    before = network.receipt(acknowledged(network))
    with network.app.app_context():
        rotate_key("evidence", "EdDSA")
    keys = network.get("AE001", "/evidence/keys").get_json()["keys"]
    assert len(keys) == 2
    assert holds(before, keys)
    assert not holds(before, [key for key in keys if thumbprint(key) != json.loads(before)["signature"]["key"]])


def test_what_a_key_signed_before_it_was_revoked_stands(network: Network) -> None:
    code = acknowledged(network)
    with network.acting(AE001) as principal:
        revoke_key(principal, thumbprint(network.key.as_dict(private=False)), "Fin de su uso")
    network.seal()
    content = network.receipt(code)
    assert "directory:key:revoked" in content.decode()
    assert holds(content)


# ---- tampering ----


def test_any_changed_byte_shows(network: Network) -> None:
    content = network.receipt(acknowledged(network))

    @hypothesis_settings(max_examples=400)
    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    @example(0, 1)
    @example(len(content) - 1, 1)
    def flip(position: int, change: int) -> None:
        changed = bytearray(content)
        changed[position] ^= change
        assert not holds(bytes(changed))

    flip()


def test_a_receipt_with_another_member_or_without_one_is_told_to_be_broken(network: Network) -> None:
    content = network.receipt(acknowledged(network))
    receipt = json.loads(content)
    assert holds(content)
    for name, value in receipt.items():
        for more in ({}, {f"{name}s": value}, {f"{name}s": value, name: value}):
            others = {other: said for other, said in receipt.items() if other != name}
            [check] = rules.verify(rules.write_receipt({**others, **more}))
            assert not check.ok, (name, list(more))


def platform_key() -> Any:
    return a_key("EdDSA")


def signed_again(receipt: dict[str, Any], key: Any) -> bytes:
    """A forgery without the platform's key: sign with one of their own and put it in."""
    jwk = key.as_dict(private=False)
    receipt["keys"] = [*receipt["keys"], jwk]
    receipt.pop("signature", None)
    signature = key.private_key.sign(rules.signed_part(receipt))
    receipt["signature"] = {"key": thumbprint(jwk), "value": base64.b64encode(signature).decode()}
    return rules.write_receipt(receipt)


def without_the_answer(receipt: dict[str, Any]) -> None:
    receipt["entries"] = [one for one in receipt["entries"] if "acknowledged" not in one["statement"]["kind"]]


def rejected_instead(receipt: dict[str, Any]) -> None:
    for entry in receipt["entries"]:
        if entry["statement"]["kind"] == "communication:acknowledged":
            entry["statement"]["kind"] = "communication:rejected"


def another_manifest(receipt: dict[str, Any]) -> None:
    receipt["manifest"] = signed(b'{"documents": [], "metadata": {}}', a_key())


def another_order(receipt: dict[str, Any]) -> None:
    receipt["entries"].reverse()


def no_binding(receipt: dict[str, Any]) -> None:
    receipt["entries"] = [one for one in receipt["entries"] if one["statement"]["kind"].startswith("communication")]


def another_code(receipt: dict[str, Any]) -> None:
    receipt["code"] = "COM-2020-000001"


def another_size(receipt: dict[str, Any]) -> None:
    lines = receipt["checkpoint"].split("\n")
    lines[1] = "99"
    receipt["checkpoint"] = "\n".join(lines)


def no_entries(receipt: dict[str, Any]) -> None:
    receipt["entries"] = []


def nonsense(receipt: dict[str, Any]) -> None:
    receipt["entries"] = [{"position": "x"}, None, 5]


@pytest.mark.parametrize(
    "change",
    [rejected_instead, another_manifest, another_order, no_binding, another_code, another_size, no_entries, nonsense],
)
def test_a_forger_who_signs_with_a_key_of_their_own_is_found_out(
    network: Network, change: Callable[[dict[str, Any]], None]
) -> None:
    receipt = json.loads(network.receipt(acknowledged(network)))
    change(receipt)
    assert not holds(signed_again(receipt, platform_key()))


def test_a_receipt_under_another_platforms_key_does_not_hold_under_pinned_keys(network: Network) -> None:
    content = network.receipt(acknowledged(network))
    ours = network.get("AE001", "/evidence/keys").get_json()["keys"]
    receipt = json.loads(content)
    assert holds(content, ours)
    assert not holds(content, [platform_key().as_dict(private=False)])
    without_the_answer(receipt)
    assert not holds(signed_again(receipt, platform_key()), ours)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 200_000, b'{"format": 1}', b"NaN"])
def test_what_is_no_receipt_is_said_to_be_none(content: bytes) -> None:
    [check] = rules.verify(content)
    assert not check.ok


def test_a_note_is_read_in_its_own_form_only() -> None:
    key = platform_key()
    checkpoint = log.Checkpoint("log.example/evidence", 7, log.leaf_hash(b"x"))
    public = key.private_key.public_key().public_bytes_raw()
    note = log.signed_note(checkpoint, public, key.private_key.sign(checkpoint.text.encode()))
    jwk = key.as_dict(private=False)
    assert log.open_note(note, [jwk]) == checkpoint
    for wrong in (
        note.replace("7\n", "07\n"),
        note.replace("7\n", "8\n"),
        note[:-10],
        note.replace("log.", "leg."),
        "",
    ):
        with pytest.raises(log.BrokenProof):
            log.open_note(wrong, [jwk])


# ---- the command ----


def test_the_command_verifies_without_a_server(network: Network, tmp_path: Path) -> None:
    code = acknowledged(network)
    receipt, keys, document = tmp_path / "receipt.json", tmp_path / "keys.json", tmp_path / "oficio.pdf"
    receipt.write_bytes(network.receipt(code))
    keys.write_text(json.dumps(network.get("AE001", "/evidence/keys").get_json()))
    document.write_bytes(a_pdf())
    command = [sys.executable, "-c", "from portal.cli import main; main()", "evidence", "verify", str(receipt)]
    environment = {"PYTHONPATH": ".:platform", "PATH": "/usr/bin:/bin"}
    bare = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (bare.returncode, "The receipt holds." in bare.stdout) == (0, True), bare.stderr
    assert "Pin the platform's" in bare.stdout

    run = CliRunner().invoke
    pinned = ["verify", str(receipt), "--keys", str(keys), "--document", str(document)]
    assert run(evidence, pinned).exit_code == 0
    document.write_bytes(a_pdf("otro"))
    assert run(evidence, pinned).exit_code == 1
    receipt.write_bytes(receipt.read_bytes().replace(b"acknowledged", b"acknowledgeb"))
    broken = run(evidence, ["verify", str(receipt)])
    assert (broken.exit_code, "does NOT hold" in broken.output) == (1, True)
    keys.write_text("nonsense")
    assert run(evidence, ["verify", str(receipt), "--keys", str(keys)]).exit_code == 2
