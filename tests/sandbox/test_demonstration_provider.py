"""The demonstration provider, and the description that it gives of itself."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from sandbox.demonstration.provider import AGREEMENT_HEADER, create_provider, openapi_document
from sandbox.demonstration.regions import COMMUNES, REGIONS

THROUGH_THE_GATEWAY = {AGREEMENT_HEADER: "ACU-000001"}


@pytest.fixture
def provider() -> FlaskClient:
    return create_provider().test_client()


def test_its_description_is_sound(provider: FlaskClient) -> None:
    document = provider.get("/openapi.json").get_json()
    validate(document)
    assert document == openapi_document("http://localhost/")
    assert document["servers"] == [{"url": "http://localhost/v1"}]


def test_it_answers_what_it_describes(provider: FlaskClient) -> None:
    regions = provider.get("/v1/regions", headers=THROUGH_THE_GATEWAY).get_json()["items"]
    assert len(regions) == 16
    assert regions[0]["name"] == "Arica y Parinacota"
    santiago = provider.get("/v1/regions/13", headers=THROUGH_THE_GATEWAY).get_json()
    assert {"code": "13120", "name": "Ñuñoa", "region": "13"} in santiago["communes"]
    assert provider.get("/v1/communes/13120", headers=THROUGH_THE_GATEWAY).get_json()["name"] == "Ñuñoa"


@pytest.mark.parametrize("path", ["/v1/regions", "/v1/regions/13", "/v1/communes/13120", "/v1/communes/99999"])
def test_it_refuses_what_does_not_come_through_the_gateway(provider: FlaskClient, path: str) -> None:
    answer = provider.get(path)
    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/regions/99", "/v1/communes/13", "/v1/communes/x"])
def test_an_unknown_code_is_a_404(provider: FlaskClient, path: str) -> None:
    assert provider.get(path, headers=THROUGH_THE_GATEWAY).status_code == 404


def test_every_commune_lies_in_a_region_and_every_region_has_its_capital() -> None:
    assert {code[:2] for code in COMMUNES} == set(REGIONS)
    for code, (_, capital) in REGIONS.items():
        assert capital in [name for commune, name in COMMUNES.items() if commune.startswith(code)]
