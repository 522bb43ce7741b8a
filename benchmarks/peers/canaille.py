"""`canaille` on PostgreSQL: the other provider written with Flask and Authlib."""

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
    Place,
    Running,
    discovered,
    gunicorn,
    install_python_packages,
    run,
    serve,
)


class Canaille:
    """argon2id as recommended by OWASP; opaque tokens, as it makes them."""

    name = "canaille"
    about = "canaille 0.3.6, gunicorn with 2 workers, PostgreSQL"

    def install(self, folder: Path) -> None:
        packages = ("gunicorn==27.0.1", "argon2-cffi==25.1.0", "psycopg[binary]==3.3.9")
        install_python_packages(folder, "canaille[front,oidc,server,sqlite]==0.3.6", *packages)
        shutil.copy(SERVERS / "canaille_site.py", folder)

    def start(self, place: Place) -> Running:
        configuration = {
            "users": USER_NAMES,
            "password": PASSWORD,
            "application": [CLIENT_ID, CLIENT_SECRET, REDIRECT_URI],
        }
        place.folder.joinpath("configuration.json").write_text(json.dumps(configuration))
        place.folder.joinpath("canaille.toml").write_text(_settings(place))
        environment = {"CANAILLE_CONFIG": "canaille.toml", "CONFIG": "canaille.toml", "AUTHLIB_INSECURE_TRANSPORT": "1"}
        run([place.folder / "venv/bin/python", "canaille_site.py"], place.folder, **environment)
        metadata = f"{place.address}/.well-known/openid-configuration"
        command = gunicorn(place.folder / "venv", place, "canaille_site:application")
        process = serve(place, command, metadata, **environment)
        return Running([process], discovered(metadata), system_form={"client credentials": {"scope": "openid"}})


def _settings(place: Place) -> str:
    key = next(key for key in json.loads(place.keys.read_text())["keys"] if key["kty"] == "RSA")
    url = place.database.url
    return f"""
SECRET_KEY = "only for a bench"
SERVER_NAME = "127.0.0.1:{place.port}"
PREFERRED_URL_SCHEME = "http"

[CANAILLE]
DATABASE = "sql"
FORCE_HTTPS = false

[CANAILLE.ACL.DEFAULT]
PERMISSIONS = ["edit_self", "use_oidc"]

[CANAILLE_SQL]
DATABASE_URI = "{url}"
PASSWORD_SCHEMES = "argon2"
PASSWORD_HASH_PARAMS = {{ {", ".join(f"argon2__{name} = {value}" for name, value in ARGON2.items())} }}

[CANAILLE_OIDC]
ACTIVE_JWKS = [{{ {", ".join(f'{name} = "{value}"' for name, value in key.items())} }}]
"""
