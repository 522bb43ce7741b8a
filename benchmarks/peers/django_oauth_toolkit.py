"""`django-oauth-toolkit` on PostgreSQL, tuned: its defaults hash each client secret with 1.5 million rounds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.peers.peer import (
    ARGON2,
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    REDIRECT_URI,
    SERVERS,
    USER_NAMES,
    Credentials,
    Place,
    Running,
    discovered,
    gunicorn,
    install_python_packages,
    run,
    serve,
)

SYSTEM_ID = "bench-system"


class DjangoOAuthToolkit:
    """Kept connections, plain client secrets, argon2id as recommended by OWASP; opaque tokens, as it makes them."""

    name = "django-oauth-toolkit"
    about = "django-oauth-toolkit 3.4.1 on Django 5.2, gunicorn with 2 workers, PostgreSQL, client secrets unhashed"

    def install(self, folder: Path) -> None:
        install_python_packages(
            folder,
            *("django==5.2.19", "django-oauth-toolkit==3.4.1", "gunicorn==27.0.1"),
            *("argon2-cffi==25.1.0", "psycopg[binary]==3.3.9"),
        )
        shutil.copy(SERVERS / "django_site.py", folder)

    def start(self, place: Place) -> Running:
        python = place.folder / "venv/bin/python"
        configuration = {
            "issuer": f"{place.address}/o",
            "database": {"NAME": place.database.name, "USER": place.database.user, "HOST": place.database.socket_dir},
            "key": str(place.keys.with_suffix(".pem")),
            "argon2": ARGON2,
            "users": USER_NAMES,
            "password": PASSWORD,
            "application": [CLIENT_ID, CLIENT_SECRET, REDIRECT_URI],
            "system": [SYSTEM_ID, CLIENT_SECRET],
        }
        place.folder.joinpath("configuration.json").write_text(json.dumps(configuration))
        run([python, "django_site.py"], place.folder)
        metadata = f"{place.address}/o/.well-known/openid-configuration"
        process = serve(place, gunicorn(place.folder / "venv", place, "django_site:application"), metadata)
        return Running(
            [process],
            {**discovered(metadata), "introspection_endpoint": f"{place.address}/o/introspect/"},
            system=Credentials(SYSTEM_ID),
            system_form={"client credentials": {"scope": "api"}},
        )
