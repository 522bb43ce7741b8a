"""One agency sends another a document and gets evidence of its delivery; by pages, and by the agencies' systems."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from walking import Installation, as_official, assert_accessible, assert_no_grave_finding, send_form

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
xref
0 4
0000000000 65535 f
0000000009 00000 n
0000000052 00000 n
0000000101 00000 n
trailer<</Size 4/Root 1 0 R>>
startxref
164
%%EOF
"""


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "oficio.pdf"
    path.write_bytes(PDF)
    return path


def compose(page: Page, letter: Path) -> None:
    page.select_option("#addressee", "AE003")
    page.fill("#authority_name", "Catalina Rojas")
    page.fill("#authority_post", "Jefa de División")
    page.fill("#reference", "Envía nómina de calles")
    page.set_input_files("#document", str(letter))


def download(page: Page, selector: str, to: Path) -> Path:
    with page.expect_download() as found:
        page.click(selector)
    found.value.save_as(to)
    return to


def receipt(page: Page, installation: Installation, to: Path) -> Path:
    """The receipt, once the worker has sealed the last step."""
    until = time.monotonic() + 20
    while True:
        answer = page.request.get(page.url.split("?")[0] + "/receipt")
        if answer.status == 200 and "json" in answer.headers["content-type"]:
            to.write_bytes(answer.body())
            return to
        assert time.monotonic() < until, answer.text()[:300]
        time.sleep(0.5)


def test_a_letter_is_sent_received_and_proved(
    installation: Installation, visit: Callable[..., Page], letter: Path, tmp_path: Path
) -> None:
    sender, addressee = visit(), visit(width=390)
    as_official(sender, installation, "88.888.888-8", "AE002")
    sender.goto(f"{installation.base_url}/agency/communications/new")
    assert_accessible(sender)
    fake = tmp_path / "fake.pdf"
    fake.write_bytes(b"<html>not a PDF</html>")
    compose(sender, fake)
    send_form(sender)
    expect(sender.locator("#document")).to_be_visible()
    expect(sender.locator("#reference")).to_have_value("Envía nómina de calles")
    compose(sender, letter)
    send_form(sender)
    expect(sender.locator("main")).to_contain_text("oficio.pdf")
    assert_no_grave_finding(sender)
    sender.click("button[name=step][value=change]")
    expect(sender.locator("#reference")).to_have_value("Envía nómina de calles")
    send_form(sender)
    sender.click("button[name=step][value=send]")
    code = sender.url.rsplit("/", 1)[1].split("?")[0]
    assert code.startswith("COM-")
    assert_accessible(sender)

    as_official(addressee, installation, "99.999.999-9", "AE003")
    addressee.goto(f"{installation.base_url}/agency/communications")
    assert_accessible(addressee)
    addressee.click(f"main a[href*='{code}']")
    assert_accessible(addressee)
    assert download(addressee, "main a[href*='/documents/']", tmp_path / "received.pdf").read_bytes() == PDF
    addressee.click("form[action$='/acknowledgement'] button")
    expect(addressee.locator("form[action$='/acknowledgement']")).to_have_count(0)

    sender.reload()
    proof = receipt(sender, installation, tmp_path / "receipt.json")
    keys = tmp_path / "keys.json"
    keys.write_bytes(sender.request.get(f"{installation.base_url}/api/v1/evidence/keys").body())
    said = installation.cli(
        "evidence", "verify", str(proof), "--keys", str(keys), "--document", str(tmp_path / "received.pdf")
    )
    assert "BROKEN" not in said

    forged = tmp_path / "forged.json"
    forged.write_text(proof.read_text(encoding="utf-8").replace("AE003", "AE004"), encoding="utf-8")
    with pytest.raises(AssertionError):
        installation.cli("evidence", "verify", str(forged))
    assert json.loads(installation.cli("audit", "verify", "--json"))["broken_at"] is None
    installation.cli("evidence", "audit")


def test_a_third_agency_finds_nothing(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit()
    as_official(page, installation, "55.555.555-5", "AE004")
    for path in ("", "/documents/1", "/receipt"):
        answer = page.request.get(f"{installation.base_url}/agency/communications/COM-2026-000001{path}")
        assert answer.status == 404
