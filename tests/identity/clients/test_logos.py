"""Pictures of applications: only PNG, only pixels, from our own origin, and in use only what the authority approved."""

import base64
import io
import re
import zlib
from datetime import timedelta
from typing import Any

import pytest
from builders.clients import a_client, a_system, authorize, machine_token
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from builders.pictures import SIGNATURE, a_png, chunk
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.client_reviews.actions import approve
from identity.clients.client_reviews.queries import get_pending
from identity.clients.logos.actions import sweep_unused_logos
from identity.clients.logos.models import Logo
from identity.clients.logos.rules import MAX_BYTES, clean_png
from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import registered_client
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as

EXIF = chunk(b"eXIf", b"GPS: -33.4489, -70.6693")
WORDS = chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")


def test_nothing_but_pixels_is_kept() -> None:
    plain = a_png()
    assert clean_png(plain) == plain
    assert clean_png(a_png(more=[EXIF, WORDS, chunk(b"iCCP", b"x"), chunk(b"acTL", b"x" * 8)])) == plain
    assert clean_png(plain + b"<html>after the end</html>") == plain


WRONG: dict[str, bytes] = {
    "empty": b"",
    "text": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "another kind": b"\xff\xd8\xff\xe0" + b"\0" * 100,
    "a signature alone": SIGNATURE,
    "cut short": a_png()[:-20],
    "one bit wrong": a_png().replace(b"IDAT", b"IDAU"),
    "a length beyond the end": SIGNATURE + b"\xff\xff\xff\xffIHDR",
    "too small": a_png(31, 64),
    "too large": a_png(1025, 64),
    "interlaced": a_png(interlaced=True),
    "too few pixels": a_png(pixels=b"\0" * 10),
    "too many pixels": a_png(pixels=b"\0" * 64 * 193 * 2),
    "a bomb": a_png(pixels=b"\0" * 50_000_000),
    "an unknown filter": a_png(pixels=(b"\x09" + b"\0" * 192) * 64),
    "no pixels": SIGNATURE + chunk(b"IHDR", a_png()[16:29]) + chunk(b"IEND"),
    "pixels that are not packed": a_png().replace(zlib.compress(b"")[:2], b"\0\0"),
    "too many bytes": a_png(more=[chunk(b"tEXt", b"x" * MAX_BYTES)]),
    "two headers": SIGNATURE + chunk(b"IHDR", a_png()[16:29]) * 2 + chunk(b"IDAT") + chunk(b"IEND"),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_such_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        clean_png(content)
    assert list(refused.value.fields) == ["logo"]


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code, f"Organismo {code}")
        return a_client("standard", owner="agency:AE001", contacts=["ana@example.cl"])


@pytest.fixture
def owner(app: Flask, made: NewClient) -> FlaskClient:
    return official_of(app, "AE001")


def official_of(app: Flask, code: str, role: str = "administrator") -> FlaskClient:
    browser = app.test_client()
    with app.app_context():
        person = an_official(code, role)
    sign_in_for(browser, person, code)
    return browser


def upload(browser: FlaskClient, made: NewClient, content: bytes = a_png(), name: str = "logo.png") -> int:
    path = f"/agency/applications/{made.client.client_id}/logo"
    return browser.post(path, data={"logo": (io.BytesIO(content), name)}).status_code


def shown(page: str) -> str:
    found = re.search(r'<img class="logo[^"]*" src="(/logos/[0-9a-f]{64}\.png)"', page)
    assert found, page
    return found[1]


def test_a_file_that_is_far_too_large_is_told_beside_its_field(owner: FlaskClient, made: NewClient) -> None:
    path = f"/agency/applications/{made.client.client_id}/logo"
    page = owner.post(path, data={"logo": (io.BytesIO(b"x" * 3_000_000), "logo.png")})
    assert page.status_code == 422
    assert 'id="logo-error"' in page.text


def test_it_is_shown_where_people_agree_and_where_owners_look(app: Flask, owner: FlaskClient, made: NewClient) -> None:
    assert owner.get(f"/agency/applications/{made.client.client_id}/logo").status_code == 200
    assert upload(owner, made, a_png(more=[EXIF])) == 303
    address = shown(owner.get(f"/agency/applications/{made.client.client_id}").text)
    assert shown(owner.get("/agency/applications").text) == address
    with app.app_context():
        person = a_person(is_test_person=True)
    browser = app.test_client()
    sign_in(browser, person)
    consent = authorize(browser, made)
    assert shown(consent.text) == address
    assert "img-src 'self'" in consent.headers["Content-Security-Policy"]
    answer = app.test_client().get(address)
    assert answer.data == a_png()
    assert answer.mimetype == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    assert owner.post(f"/agency/applications/{made.client.client_id}/logo/remove").status_code == 303
    assert "/logos/" not in owner.get(f"/agency/applications/{made.client.client_id}").text


def test_no_other_picture_is_there(client: FlaskClient) -> None:
    for name in ("0" * 64, "x", "..%2f..", "a%00"):
        assert client.get(f"/logos/{name}.png").status_code == 404


def test_nobody_else_changes_it(app: Flask, owner: FlaskClient, made: NewClient) -> None:
    others, publisher = official_of(app, "AE002"), official_of(app, "AE001", "publisher")
    assert upload(others, made) == 404
    assert upload(publisher, made) == 403
    assert others.post(f"/agency/applications/{made.client.client_id}/logo/remove").status_code == 404
    for content in (b"", b"GIF89a", WRONG["a bomb"]):
        assert upload(owner, made, content) == 422
    with app.app_context():
        assert not session().scalars(select(Logo)).all()


def test_in_use_it_waits_for_the_authority(app: Flask, owner: FlaskClient) -> None:
    with app.app_context():
        act_as(Principal(kind="operator", id="x", name="El operador"))
        usual: dict[str, Any] = {"redirect_uris": ["https://a.example.cl/"], "post_logout_redirect_uris": []}
        used = a_client(
            "standard",
            owner="agency:AE001",
            environment="production",
            contacts=["ana@example.cl"],
            scopes=["openid"],
            **usual,
        )
        client_id = used.client.client_id
    assert upload(owner, used) == 303
    with app.app_context():
        before = registered_client(client_id)
        assert before is not None
        assert before.logo is None
        with clock.shifted(timedelta(days=100)):
            assert sweep_unused_logos() == 0
        act_as(Principal(kind="official", id="1", name="La autoridad"))
        approve(client_id, get_pending(client_id).fingerprint)
        after = registered_client(client_id)
        assert after is not None
        assert after.logo is not None
    assert owner.post(f"/agency/applications/{client_id}/logo/remove").status_code == 303
    with app.app_context():
        removed = registered_client(client_id)
        assert removed is not None
        assert removed.logo is None
        assert sweep_unused_logos() == 0
        with clock.shifted(timedelta(days=100)):
            assert sweep_unused_logos() == 1


def test_a_program_sends_it_too(app: Flask, client: FlaskClient, made: NewClient) -> None:
    with app.app_context():
        ours, others = (a_system(code, ["applications.manage"]) for code in ("AE001", "AE002"))
    path = f"/api/v1/applications/{made.client.client_id}/logo"
    body = {"png": base64.b64encode(a_png()).decode()}
    strange = {"Authorization": f"Bearer {machine_token(client, others)}"}
    assert client.put(path, json=body, headers=strange).status_code == 404
    assert client.delete(path, headers=strange).status_code == 404
    headers = {"Authorization": f"Bearer {machine_token(client, ours)}"}
    answer = client.put(path, json=body, headers=headers)
    assert client.get(answer.get_json()["logo"]).data == a_png()
    for wrong in ({}, {"png": ""}, {"png": "A" * 5}, {"png": "AAAA"}, {"png": 7}):
        assert client.put(path, json=wrong, headers=headers).status_code == 422, wrong
    assert client.delete(path, headers=headers).status_code == 204
