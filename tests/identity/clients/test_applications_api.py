"""An agency's systems manage its applications through the interface, and nobody else's."""

from typing import Any

import pytest
from builders.clients import a_client, a_system, basic, machine_token
from builders.identity import an_agency, an_official, sign_in_for
from builders.keys import a_key, public
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.client_reviews.actions import approve, give_back
from identity.clients.client_reviews.queries import get_pending
from kernel.jobs.access import Principal, act_as

PATH = "/api/v1/applications"
RETURN = "https://tramites.example.cl/entrada"
SOUND: dict[str, Any] = {
    "name": "Trámites",
    "redirect_uris": [RETURN],
    "scopes": ["run"],
    "scope_reasons": {"run": "Para encontrar su expediente."},
    "contacts": ["ana@example.cl"],
}


class Caller:
    """A system of an agency with its token."""

    def __init__(self, app: Flask, agency: str, *scopes: str) -> None:
        self.browser = app.test_client()
        with app.app_context():
            made = a_system(agency, scopes or ("applications.manage",))
        self.headers = {"Authorization": f"Bearer {machine_token(self.browser, made)}"}

    def __call__(self, method: str, path: str = "", body: object = None) -> TestResponse:
        return self.browser.open(f"{PATH}{path}", method=method, json=body, headers=self.headers)

    def register(self, **changed: Any) -> dict[str, Any]:
        answer = self("POST", "", SOUND | changed)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.get_json()
        return found


@pytest.fixture
def agencies(app: Flask) -> None:
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code, f"Organismo {code}")


@pytest.fixture
def ours(app: Flask, agencies: None) -> Caller:
    return Caller(app, "AE001")


@pytest.fixture
def others(app: Flask, agencies: None) -> Caller:
    return Caller(app, "AE002")


def let_in(app: Flask, client_id: str) -> None:
    with app.app_context():
        act_as(Principal(kind="official", id="1", name="La autoridad"))
        approve(client_id, get_pending(client_id).fingerprint)


def every_call(client_id: str, secret: str = "0" * 16) -> list[tuple[str, str, object]]:
    return [
        ("GET", f"/{client_id}", None),
        ("PUT", f"/{client_id}", SOUND),
        ("PUT", f"/{client_id}/keys", {"jwks": public(a_key())}),
        ("POST", f"/{client_id}/secrets", None),
        ("DELETE", f"/{client_id}/secrets/{secret}", None),
        ("POST", f"/{client_id}/request", {"environment": "production"}),
        ("DELETE", f"/{client_id}/request", None),
        ("DELETE", f"/{client_id}", None),
    ]


def test_another_agencys_application_is_not_there(app: Flask, ours: Caller, others: Caller) -> None:
    made = ours.register()
    ours("POST", f"/{made['client_id']}/secrets")
    ours("POST", f"/{made['client_id']}/request", {"environment": "production"})
    before = ours("GET", f"/{made['client_id']}").get_json()
    for method, path, body in every_call(made["client_id"], before["secrets"][0]["code"]):
        assert others(method, path, body).status_code == 404, (method, path)
    assert ours("GET", f"/{made['client_id']}").get_json() == before
    assert others("GET").get_json()["items"] == []


def test_a_system_or_a_developers_application_is_not_one(app: Flask, ours: Caller) -> None:
    with app.app_context():
        made = [a_system("AE001"), a_client(owner="developer:x"), a_client()]
    for client_id in [one.client.client_id for one in made] + ["0" * 32, "a%00b", "x"]:
        for method, path, body in every_call(client_id):
            assert ours(method, path, body).status_code == 404, (client_id, method, path)


def test_only_with_the_scope_and_never_with_a_cookie(app: Flask, ours: Caller, client: FlaskClient) -> None:
    made = ours.register()
    reader = Caller(app, "AE001", "communications.send")
    with app.app_context():
        official = an_official("AE001", "administrator")
    sign_in_for(client, official, "AE001")
    for method, path, body in [("GET", "", None), ("POST", "", SOUND), *every_call(made["client_id"])]:
        assert reader(method, path, body).status_code == 403, (method, path)
        assert client.open(f"{PATH}{path}", method=method, json=body).status_code == 401, (method, path)


def test_one_is_registered_read_changed_and_revoked(ours: Caller) -> None:
    made = ours.register(post_logout_redirect_uris=["https://tramites.example.cl/"])
    assert made["secret"]
    assert made["environment"] == "sandbox"
    path = f"/{made['client_id']}"
    read = ours("GET", path).get_json()
    assert "secret" not in read
    assert {**read, "secret": made["secret"]} == made
    changed = ours("PUT", path, SOUND | {"name": "Otro nombre", "profile": "fapi2", "jwks": public(a_key())})
    assert changed.status_code == 200, changed.text
    assert (changed.get_json()["name"], changed.get_json()["auth_method"]) == ("Otro nombre", "private_key_jwt")
    assert changed.get_json()["secrets"] == []
    back = ours("PUT", path, SOUND).get_json()
    assert back["secret"]
    for _twice in range(2):
        assert ours("DELETE", path).status_code == 204
    assert ours("GET", path).get_json()["revoked_at"]
    for method, where, body in every_call(made["client_id"])[1:7]:
        assert ours(method, where, body).status_code == 409, (method, where)


def test_two_secrets_live_at_a_time_and_one_may_be_withdrawn(ours: Caller) -> None:
    made = ours.register(options={"access_token_format": "jwt"})
    path, client_id = f"/{made['client_id']}/secrets", made["client_id"]
    first, second = made["secret"], ours("POST", path).get_json()
    assert len(second["secrets"]) == 2

    def works(secret: str) -> bool:
        answer = ours.browser.post("/openid/introspect", data={"token": "x"}, headers=basic(client_id, secret))
        return answer.status_code == 200

    assert works(first)
    assert works(second["secret"])
    new, old = (one["code"] for one in second["secrets"])
    assert ours("DELETE", f"{path}/{'0' * 16}").status_code == 404
    assert ours("DELETE", f"{path}/{old}").status_code == 204
    assert not works(first)
    assert ours("DELETE", f"{path}/{old}").status_code == 404
    assert ours("DELETE", f"{path}/{new}").status_code == 409
    assert works(second["secret"])


def test_keys_are_replaced(ours: Caller) -> None:
    made = ours.register(profile="fapi2", jwks=public(a_key()))
    path = f"/{made['client_id']}/keys"
    other = public(a_key())
    assert ours("PUT", path, {"jwks": other}).get_json()["jwks"]["keys"][0]["x"] == other["keys"][0]["x"]
    moved = ours("PUT", path, {"jwks_uri": "https://tramites.example.cl/jwks.json"}).get_json()
    assert (moved["jwks"], moved["jwks_uri"]) == (None, "https://tramites.example.cl/jwks.json")
    private = {"keys": [a_key().as_dict(private=True)]}
    both = {"jwks": other, "jwks_uri": moved["jwks_uri"]}
    faults: list[dict[str, Any]] = [{}, {"jwks": {"keys": []}}, {"jwks": private}, both]
    for wrong in faults:
        assert ours("PUT", path, wrong).status_code == 422, wrong
    for address in ("https://127.0.0.1/", "http://a.example.cl/", "https://localhost/x", "https://10.0.0.1/jwks"):
        assert ours("PUT", path, {"jwks_uri": address}).status_code == 422, address


def test_it_goes_on_from_the_sandbox(app: Flask, ours: Caller) -> None:
    made = ours.register(environment="certification")
    assert made["environment"] == "sandbox"
    assert made["waiting"]["environment"] == "certification"
    path = f"/{made['client_id']}"
    assert ours("POST", f"{path}/request", {"environment": "production"}).status_code == 409
    let_in(app, made["client_id"])
    certified = ours("GET", path).get_json()
    assert (certified["environment"], certified["approved_by"]) == ("certification", "La autoridad")
    assert certified["approved_at"]
    assert ours("POST", f"{path}/request", {"environment": "certification"}).status_code == 409
    assert ours("POST", f"{path}/request", {"environment": "production"}).status_code == 201
    assert ours("DELETE", f"{path}/request").status_code == 204
    assert ours("DELETE", f"{path}/request").status_code == 204
    assert ours("POST", f"{path}/request", {"environment": "production"}).status_code == 201
    with app.app_context():
        give_back(made["client_id"], "Falta decir para qué.")
    assert ours("GET", path).get_json()["waiting"] is None
    ours("POST", f"{path}/request", {"environment": "production"})
    let_in(app, made["client_id"])
    assert ours("POST", f"{path}/request", {"environment": "production"}).status_code == 409
    used = ours("PUT", path, SOUND | {"redirect_uris": [RETURN, f"{RETURN}/otra"]})
    assert used.get_json()["waiting"]["changes"] == ["redirect_uris"]
    assert used.get_json()["redirect_uris"] == [RETURN]
    assert ours("GET").get_json()["items"][0]["waiting"]["changes"] == ["redirect_uris"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "ab"),
        ("name", "a\x00bcd"),
        ("name", None),
        ("profile", "other"),
        ("redirect_uris", []),
        ("redirect_uris", ["http://tramites.example.cl/"]),
        ("redirect_uris", ["https://a.example.cl/#x"]),
        ("redirect_uris", ["https://*.example.cl/"]),
        ("redirect_uris", "https://a.example.cl/"),
        ("redirect_uris", [f"https://a.example.cl/{n}" for n in range(21)]),
        ("post_logout_redirect_uris", ["javascript:alert(1)"]),
        ("scopes", ["everything"]),
        ("scope_reasons", {"everything": "x"}),
        ("scope_reasons", {"run": "x" * 501}),
        ("sector", "everybody"),
        ("contacts", ["nobody"]),
        ("contacts", ["a@example.cl\nBcc: b@example.cl"]),
        ("auth_method", "telepathy"),
        ("jwks", {"keys": [{"kty": "oct", "k": "AAAA"}]}),
        ("jwks_uri", "http://a.example.cl/"),
        ("options", {"unknown": True}),
        ("options", {"require_auth_time": "yes"}),
        ("environment", "moon"),
        ("client_id", "mine"),
        ("owner", "agency:AE002"),
        ("approved_by", "me"),
    ],
)
def test_what_is_wrong_is_named(ours: Caller, field: str, value: Any) -> None:
    answer = ours("POST", "", SOUND | {field: value})
    assert answer.status_code == 422, answer.text
    assert next(iter(answer.get_json()["errors"])).split(".")[0] == field
    assert ours("GET").get_json()["items"] == []


def test_production_is_not_asked_for_without_reasons(ours: Caller) -> None:
    faults: list[dict[str, Any]] = [{"contacts": []}, {"scope_reasons": {}}, {"redirect_uris": ["http://localhost/x"]}]
    for wrong in faults:
        assert ours("POST", "", SOUND | {"environment": "production"} | wrong).status_code == 422, wrong
    # Nothing is left behind of what was refused.
    assert ours("GET").get_json()["items"] == []


def test_the_list_comes_in_pages(ours: Caller) -> None:
    made = [ours.register(name=f"Número {number}")["client_id"] for number in range(5)]
    seen: list[str] = []
    query = "?limit=2"
    while True:
        answer = ours("GET", query).get_json()
        seen += [one["client_id"] for one in answer["items"]]
        if answer["next"] is None:
            break
        query = f"?limit=2&cursor={answer['next']}"
    assert seen == made[::-1]
    assert ours("GET", "?cursor=!").status_code == 422
