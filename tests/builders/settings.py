"""Settings of the installations that tests make."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kernel.base.settings import Settings


def settings_of_tests(database_url: str, data_dir: Path, **others: Any) -> Settings:
    """An installation with this database and this directory, and with keys that everybody knows."""
    usual: dict[str, Any] = {
        "environment": "test",
        "base_url": "http://localhost",
        "master_key": b"the-master-key-of-the-test-suite",
        "secret_key": "the secret key of the test suite",
        "web_threads": 64,  # tests call from as many as they like
    }
    return Settings(database_url=database_url, data_dir=data_dir, **(usual | others))


def behind_a_proxy(settings: Settings, **others: Any) -> Settings:
    """Settings of an installation whose proxy hands the certificates of callers over."""
    return replace(
        settings,
        trusted_proxies=1,
        client_certificate_header="X-Client-Cert",
        client_certificate_verified_header="X-Client-Verify",
        **others,
    )
