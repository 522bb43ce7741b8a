"""The application as it is put together of the blocks deployed."""

from dataclasses import replace

import pytest
from flask import Flask

from kernel.base.settings import Settings, SettingsError
from kernel.jobs.access import PROGRAM_PATHS
from kernel.keys.signatures import ROTATED_PURPOSES
from portal.app import create_app
from portal.wiring import load_settings


def test_a_block_that_there_is_not_is_named_with_those_that_there_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="identity, catalogue, interoperability, sandbox"):
        create_app(replace(settings, blocks=("identity", "weather")))
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CORDILLERA_BLOCKS", "identity,weather")
    with pytest.raises(SettingsError, match="CORDILLERA_BLOCKS"):
        load_settings()


def test_what_blocks_bring_is_where_the_kernel_looks_for_it(app: Flask) -> None:
    assert {prefix: paths.is_of_services for prefix, paths in PROGRAM_PATHS.of(app).items()} == {
        "/api/": False,
        "/gateway/": True,
    }
    assert sorted(ROTATED_PURPOSES.of(app)) == ["evidence", "openid"]


def test_where_nobody_can_sign_in_a_browser_is_told_so(settings: Settings) -> None:
    page = create_app(replace(settings, blocks=())).test_client().get("/authority", headers={"Accept": "text/html"})
    assert page.status_code == 401
