"""Settings of the gateway, with those of everybody."""

import pytest

from catalogue.gateway.settings import GatewaySettings
from kernel.base.settings import Settings, SettingsError
from portal.wiring import declared_settings, load_settings


def test_how_long_calls_are_kept_is_read_with_the_other_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", settings.database_url)
    assert GatewaySettings in declared_settings()
    assert load_settings().of(GatewaySettings).gateway_calls_kept_months == 36
    monkeypatch.setenv("CORDILLERA_GATEWAY_CALLS_KEPT_MONTHS", "7")
    assert load_settings().of(GatewaySettings).gateway_calls_kept_months == 7


@pytest.mark.parametrize("wrong", ["-1", "0", "many"])
def test_a_wrong_one_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CORDILLERA_GATEWAY_CALLS_KEPT_MONTHS", wrong)
    with pytest.raises(SettingsError, match="GATEWAY_CALLS_KEPT_MONTHS"):
        load_settings()
