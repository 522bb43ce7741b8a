"""The settings that `run` chooses for a checkout, beside those of the operator."""

import pytest

from kernel.base import settings
from portal.local import development

OWN = "10.0.0.5:8443"


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> pytest.MonkeyPatch:
    monkeypatch.setenv("CORDILLERA_DATA_DIR", str(tmp_path))
    for name in ("DATABASE_URL", "OUTBOUND_ALLOWED", "DEMONSTRATION_PROVIDER_URL", "BASE_URL"):
        monkeypatch.delenv(f"CORDILLERA_{name}", raising=False)
    return monkeypatch


def test_what_the_operator_lets_be_reached_is_added_to_the_demonstration(operator: pytest.MonkeyPatch) -> None:
    operator.setenv("CORDILLERA_OUTBOUND_ALLOWED", f"{OWN}, otro.example:443")
    for name, value in development.environment(8430, "postgresql+psycopg://x/y").items():
        operator.setenv(name, value)
    assert settings.load().outbound_allowed == {OWN, "otro.example:443", "localhost:8432", "127.0.0.1:8432"}


def test_a_provider_elsewhere_is_the_one_that_may_be_reached(operator: pytest.MonkeyPatch) -> None:
    operator.setenv("CORDILLERA_DEMONSTRATION_PROVIDER_URL", "http://provider.local:9000")
    chosen = development.environment(8430, "postgresql+psycopg://x/y")
    assert "provider.local:9000" in chosen["CORDILLERA_OUTBOUND_ALLOWED"].split(",")


def test_a_command_beside_the_running_house_keeps_both(operator: pytest.MonkeyPatch) -> None:
    development.remember(development.environment(8430, "postgresql+psycopg://x/y"))
    variables = {"CORDILLERA_OUTBOUND_ALLOWED": OWN}
    development.adopt(variables)
    assert set(variables["CORDILLERA_OUTBOUND_ALLOWED"].split(",")) == {OWN, "localhost:8432", "127.0.0.1:8432"}
