"""The application as it is run: gunicorn on a port, for programs that others wrote."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager

from walking import ROOT, Installation, wait_until_ready

from kernel.base.settings import Settings


@contextmanager
def two_workers(settings: Settings, base_url: str, application: str = "wsgi:app") -> Iterator[Installation]:
    """Two gunicorn workers at the address, on the database, keys and documents of the settings."""
    with a_node(settings, base_url, application, workers=2) as installation:
        wait_until_ready(f"{base_url}/health/ready")
        yield installation


@contextmanager
def a_node(
    settings: Settings, base_url: str, application: str = "wsgi:app", *, workers: int, address: str = ""
) -> Iterator[Installation]:
    """Gunicorn, which has not been asked anything yet. address: where it is itself, if the base URL is a balancer's."""
    environment = environment_of(settings, base_url)
    installation = Installation(base_url, "", "", settings.data_dir, environment)
    # Clients keep connections open, and nobody is to wait for them in the end.
    options = ("--workers", str(workers), "--graceful-timeout", "1", "--pythonpath", str(ROOT / "tests"))
    installation.serve(
        "web", address or base_url, application, "-c", str(ROOT / "platform/portal/gunicorn_config.py"), *options
    )
    try:
        yield installation
    finally:
        installation.stop()


def environment_of(settings: Settings, base_url: str) -> dict[str, str]:
    """The settings as a process of the installation reads them."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return os.environ | {
        "CORDILLERA_ENVIRONMENT": "test",
        "CORDILLERA_BASE_URL": base_url,
        "CORDILLERA_DATABASE_URL": settings.database_url,
        "CORDILLERA_DATA_DIR": str(settings.data_dir),
        "CORDILLERA_MASTER_KEY": base64.b64encode(settings.master_key).decode(),
        "CORDILLERA_KEY_STORE": settings.key_store,
        "CORDILLERA_SECRET_KEY": settings.secret_key,
        "CORDILLERA_BLOCKS": ",".join(settings.blocks),
        "CORDILLERA_TRUSTED_PROXIES": str(settings.trusted_proxies),
        "CORDILLERA_CLIENT_CERTIFICATE_HEADER": settings.client_certificate_header,
        "CORDILLERA_CLIENT_CERTIFICATE_VERIFIED_HEADER": settings.client_certificate_verified_header,
        "CORDILLERA_MTLS_BASE_URL": settings.mtls_base_url,
        "CORDILLERA_OUTBOUND_ALLOWED": ",".join(settings.outbound_allowed),
    }
