"""The catalogue and its agreements as JSON, through the whole application."""

import json
from typing import Any

import pytest
from builders.catalogue import (
    CONSUMER,
    OWNER,
    STRANGER,
    Caller,
    a_machine,
    a_published_service,
    an_official,
    an_openapi_document,
)
from builders.catalogue_pages import DRAFT as FACTS
from flask import Flask

from kernel.jobs.access import Principal

NOBODY = Principal()


def published(app: Flask) -> str:
    with app.app_context():
        return a_published_service().code


class TestTheApi:
    DRAFT = {**FACTS, "openapi": json.dumps(an_openapi_document())}

    def test_a_machine_describes_and_submits(self, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        made = client.post("/api/v1/services", json=self.DRAFT)
        assert made.status_code == 201, made.text
        code = made.get_json()["code"]
        changed = client.put(f"/api/v1/services/{code}", json={**self.DRAFT, "name": "Nuevo"})
        assert changed.get_json()["name"] == "Nuevo"
        sent = client.post(f"/api/v1/services/{code}/versions/v1/submission")
        assert sent.get_json()["versions"][0]["status"] == "submitted"
        assert client.put(f"/api/v1/services/{code}", json=self.DRAFT).status_code == 409
        assert caller.acting(NOBODY).get(f"/api/v1/services/{code}").status_code == 404

    def test_what_is_mangled_is_refused(self, app: Flask, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        for body in (b"[" * 5_000, b'{"a":' * 5_000, b"\xff", b"7", b"null", b"[7]"):
            answer = client.post("/api/v1/services", data=body, content_type="application/json")
            assert answer.status_code in (400, 422), body[:20]
        for place in ("/api/v1/services/%00", "/catalogue/%00", "/api/v1/services/a%00b/versions/%00/openapi"):
            assert client.get(place).status_code == 404, place
        for query in ("q=%00", "cursor=%00", "q=\xff", "kind=%00", "agency=%00"):
            assert client.get("/api/v1/services", query_string=query).status_code < 500, query
            assert client.get("/catalogue", query_string=query).status_code < 500, query
        draft = {**self.DRAFT, "name": "a\x00b"}
        assert client.post("/api/v1/services", json=draft).status_code == 422

    def test_the_catalogue_is_public(self, app: Flask, caller: Caller) -> None:
        code = published(app)
        client = caller.acting(NOBODY)
        listed = client.get("/api/v1/services?q=permisos").get_json()
        assert [item["code"] for item in listed["items"]] == [code]
        assert listed["next"] is None
        version = client.get(f"/api/v1/services/{code}").get_json()["versions"][0]
        document = client.get(version["openapi"])
        assert document.get_json()["openapi"] == "3.1.0"
        assert "base_url" not in version

    @pytest.mark.parametrize(
        "changed",
        [
            {"name": ""},
            {"name": "\x00"},
            {"kind": "x"},
            {"base_url": "https://127.0.0.1"},
            {"openapi": "{"},
            {"version": "1"},
            {"contact": "x"},
            {"unknown": 1},
        ],
    )
    def test_wrong_data_is_told_by_field(self, caller: Caller, changed: dict[str, Any]) -> None:
        answer = caller.acting(a_machine(OWNER, "catalogue.publish")).post(
            "/api/v1/services", json={**self.DRAFT, **changed}
        )
        assert answer.status_code == 422
        assert list(answer.get_json()["errors"]) == list(changed)

    @pytest.mark.parametrize(
        "changed",
        [
            {"contact": "mesa.de.partes@servicio.example"},
            {"contact": "a.b.c.d+e@sub.dominio-largo.servicio.example"},
            {"contact": "oficina@municipalidad-ñuñoa.example"},
            {"base_url": "https://api.servicio.example/(S(x))/v1"},
            {"base_url": "https://api.servicio.example/a;b=1/c%20d"},
            {"base_url": "https://mi_servidor.servicio.example:8443/v1/"},
            {"base_url": "https://api.servicio.example/.well-known/x"},
            {"base_url": ""},
            {"description": "Una línea.\r\nOtra línea."},
        ],
    )
    def test_systems_may_write_what_people_may_write(self, caller: Caller, changed: dict[str, str]) -> None:
        by_system = caller.acting(a_machine(OWNER, "catalogue.publish"))
        made = by_system.post("/api/v1/services", json={**self.DRAFT, **changed})
        assert made.status_code == 201, made.text
        by_person = caller.acting(an_official(OWNER))
        assert by_person.post("/agency/services/new", data={**FACTS, **changed}).status_code == 303

    @pytest.mark.parametrize(
        "changed",
        [
            {"contact": "two@a.example,three@b.example"},
            {"contact": "a b@servicio.example"},
            {"contact": "a\u202eb@servicio.example"},
            {"base_url": "http://api.servicio.example"},
            {"base_url": "https://api.servicio.example/a?b"},
            {"base_url": "https://api.servicio.example/a/../b"},
            {"base_url": "https://api.servicio.example/a/%2e%2e/b"},
            {"base_url": "https://api.servicio.example/<a>"},
            {"base_url": "https://api.servicio.example/a b"},
            {"base_url": "https://api.servicio.example/%zz"},
            {"base_url": "https://user@api.servicio.example"},
        ],
    )
    def test_what_people_may_not_write_systems_may_not_either(self, caller: Caller, changed: dict[str, str]) -> None:
        by_system = caller.acting(a_machine(OWNER, "catalogue.publish"))
        refused = by_system.post("/api/v1/services", json={**self.DRAFT, **changed})
        assert (refused.status_code, list(refused.get_json()["errors"])) == (422, list(changed))
        by_person = caller.acting(an_official(OWNER))
        assert by_person.post("/agency/services/new", data={**FACTS, **changed}).status_code == 422

    def test_swagger_is_published_as_openapi_with_a_warning_and_what_came_beside_it(self, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        text = (
            "swagger: '2.0'\ninfo: {title: A, version: '1'}\npaths: {/a: {get: {responses: {200: {description: x}}}}}\n"
        )
        made = client.post("/api/v1/services", json={**FACTS, "openapi": text}, headers={"Accept-Language": "es"})
        version = made.get_json()["versions"][0]
        assert version["operations"] == 1
        (warning,) = version["warnings"]
        assert (warning["code"], warning["line"], warning["pointer"]) == ("converted", 1, "")
        assert warning["detail"].startswith("Esto es Swagger 2.0. Se convirtió a OpenAPI 3.0")
        assert client.get(version["openapi"]).get_json()["openapi"] == "3.0.3"
        original = client.get(version["openapi_original"])
        assert (original.text, original.mimetype) == (text, "application/yaml")

    def test_a_document_of_today_has_no_original(self, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        version = client.post("/api/v1/services", json=self.DRAFT).get_json()["versions"][0]
        assert (version["openapi_original"], version["warnings"]) == (None, [])
        assert client.get(f"{version['openapi']}/original").status_code == 404

    def test_warnings_are_told_to_the_owner_only(self, app: Flask, caller: Caller) -> None:
        code = published(app)
        assert "warnings" not in caller.acting(NOBODY).get(f"/api/v1/services/{code}").get_json()["versions"][0]

    def test_a_document_up_to_its_limit_fits_however_it_is_written_in_json(self, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        text = f'openapi: 3.0.3\ninfo: {{title: A, version: "1"}}\npaths: {{}}\nx-a: "{"ñ" * 500_000}"\n'
        body = json.dumps({**FACTS, "openapi": text})
        assert len(body) > 2 * 1024 * 1024
        assert client.post("/api/v1/services", data=body, content_type="application/json").status_code == 201
        refused = client.post("/api/v1/services", json={**FACTS, "openapi": text + "x" * 100_000})
        assert refused.get_json()["errors"]["openapi"] == ["El documento supera 1 MB."]

    def test_a_body_beyond_all_limits_is_told_the_limit(self, caller: Caller) -> None:
        client = caller.acting(a_machine(OWNER, "catalogue.publish"))
        body = json.dumps({**FACTS, "openapi": "x" * 9_000_000})
        refused = client.post("/api/v1/services", data=body, content_type="application/json")
        assert (refused.status_code, refused.get_json()["detail"]) == (413, "Aquí se pueden enviar 8 MB como máximo.")

    def test_another_agencys_service_does_not_exist(self, app: Flask, caller: Caller) -> None:
        code = published(app)
        client = caller.acting(a_machine(STRANGER, "catalogue.publish"))
        assert client.put(f"/api/v1/services/{code}", json=self.DRAFT).status_code == 404
        assert client.post(f"/api/v1/services/{code}/versions/v1/submission").status_code == 404

    @pytest.mark.parametrize("by", [NOBODY, a_machine(OWNER), a_machine(OWNER, "catalogue.agreements")])
    def test_describing_needs_its_scope(self, caller: Caller, by: Principal) -> None:
        expected = 401 if by is NOBODY else 403
        assert caller.acting(by).post("/api/v1/services", json=self.DRAFT).status_code == expected

    def test_a_machine_asks_for_an_agreement(self, app: Flask, caller: Caller) -> None:
        asked = {
            "service": published(app),
            "version": "v1",
            "purpose": "Renovar",
            "legal_basis": "Ley",
            "personal_data": True,
            "daily_calls": 10,
        }
        client = caller.acting(a_machine(CONSUMER, "catalogue.agreements"))
        made = client.post("/api/v1/agreements", json=asked)
        assert made.status_code == 201, made.text
        code = made.get_json()["code"]
        assert client.post("/api/v1/agreements", json=asked).status_code == 409
        assert client.get(f"/api/v1/agreements/{code}").get_json()["status"] == "requested"
        assert [one["code"] for one in client.get("/api/v1/agreements?side=consumer").get_json()["items"]] == [code]
        assert client.get("/api/v1/agreements?side=owner").get_json()["items"] == []
        stranger = caller.acting(a_machine(STRANGER, "catalogue.agreements"))
        assert stranger.get(f"/api/v1/agreements/{code}").status_code == 404
        assert stranger.get("/api/v1/agreements").get_json()["items"] == []
