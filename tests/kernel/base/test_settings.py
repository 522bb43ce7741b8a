"""Wrong settings are refused at start, in one sentence that names the setting."""

import base64
import os
from dataclasses import fields

import pytest

from kernel.base import settings
from kernel.base.settings import DEVELOPMENT_KEY, SettingsError

GOOD = {
    "CORDILLERA_DATABASE_URL": "postgresql://localhost/cordillera",
    "CORDILLERA_ENVIRONMENT": "development",
}
PRODUCTION = {
    **GOOD,
    "CORDILLERA_ENVIRONMENT": "production",
    "CORDILLERA_BASE_URL": "https://id.example",
    "CORDILLERA_MASTER_KEY": base64.b64encode(b"m" * 32).decode(),
    "CORDILLERA_SECRET_KEY": "a secret of its own",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in [name for name in os.environ if name.startswith("CORDILLERA_")]:
        monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> settings.Settings:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    return settings.load()


def test_good_settings_are_frozen_and_name_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(monkeypatch, **GOOD)
    assert loaded.database_url == "postgresql+psycopg://localhost/cordillera"
    assert loaded.base_url == "http://localhost:8000"
    with pytest.raises(AttributeError):
        loaded.base_url = "elsewhere"  # type: ignore[misc]


def test_production_starts_with_secrets_of_its_own_and_https(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, **PRODUCTION).is_secure


def test_the_manual_names_every_setting() -> None:
    named = {variable: meaning for variable, _, meaning in settings.manual()}
    assert set(named) == {f"CORDILLERA_{field.name.upper()}" for field in fields(settings.Settings)} - {
        "CORDILLERA_OF_BLOCKS"
    }
    assert all(named.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("BASE_URL", "id.example"),
        ("BASE_URL", "https://id.example/below"),
        ("DATABASE_URL", "sqlite:///file"),
        ("DATABASE_URL", ""),
        ("MASTER_KEY", "not base64!"),
        ("MASTER_KEY", base64.b64encode(b"short").decode()),
        ("MASTER_KEY", DEVELOPMENT_KEY),
        ("SECRET_KEY", DEVELOPMENT_KEY),
        ("BASE_URL", "http://id.example"),
        ("TRUSTED_PROXIES", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("MTLS_BASE_URL", "http://mtls.id.example"),
        ("MTLS_BASE_URL", "https://mtls.id.example/below"),
        ("MTLS_BASE_URL", "mtls.id.example"),
        ("MTLS_BASE_URL", "https://mtls.id.example"),
        ("AUDIT_KEPT_MONTHS", "0"),
        ("DELIVERIES_KEPT_MONTHS", "0"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(monkeypatch, **PRODUCTION | {f"CORDILLERA_{name}": value})


def test_production_has_no_authority_for_timestamps_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, **GOOD).timestamp_authority == "local"
    assert load(monkeypatch, **PRODUCTION).timestamp_authority == ""
    assert load(monkeypatch, CORDILLERA_TIMESTAMP_URL="local").timestamp_authority == "local"
    for url in ("http://tsa.example", "https://tsa.example"):
        with pytest.raises(SettingsError, match="CORDILLERA_TIMESTAMP_"):
            load(monkeypatch, CORDILLERA_TIMESTAMP_URL=url)
