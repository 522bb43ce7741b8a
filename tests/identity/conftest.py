"""A running server for the clients that others wrote."""

import base64
import os
from collections.abc import Iterator

import pytest
from flask import Flask
from walking import ROOT, House, free_address, wait_until_ready

from kernel.settings import Settings


@pytest.fixture
def served(app: Flask, settings: Settings) -> Iterator[House]:
    """Two gunicorn workers on the same database, keys and documents as `app`."""
    base_url = free_address()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "CORDILLERA_ENVIRONMENT": "test",
        "CORDILLERA_BASE_URL": base_url,
        "CORDILLERA_DATABASE_URL": settings.database_url,
        "CORDILLERA_DATA_DIR": str(settings.data_dir),
        "CORDILLERA_MASTER_KEY": base64.b64encode(settings.master_key).decode(),
        "CORDILLERA_SECRET_KEY": settings.secret_key,
        "CORDILLERA_BLOCKS": ",".join(settings.blocks),
    }
    house = House(base_url, "", "", settings.data_dir, environment)
    house.serve("web", base_url, "wsgi:app", "-c", str(ROOT / "platform/portal/gunicorn_config.py"), "--workers", "2")
    try:
        wait_until_ready(f"{base_url}/health/ready")
        yield house
    finally:
        house.stop()
