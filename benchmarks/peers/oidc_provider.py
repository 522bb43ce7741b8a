"""npm `oidc-provider` on PostgreSQL: the certified provider to equal. Its adapter and sign-in page are the bench's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.peers.peer import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    PERSONS,
    REDIRECT_URI,
    SERVERS,
    NotInstalled,
    Place,
    Running,
    discovered,
    run,
    serve,
)

PACKAGES = {"oidc-provider": "9.13.3", "pg": "8.23.1", "argon2": "0.45.1"}


class OidcProvider:
    """Two processes, ES256, argon2id as recommended by OWASP.

    Its own access tokens are opaque; the second workload of client credentials asks it for JWTs, which it need not
    store.
    """

    name = "oidc-provider"
    about = f"npm oidc-provider {PACKAGES['oidc-provider']}, 2 processes, on PostgreSQL"

    def install(self, folder: Path) -> None:
        manifest = json.dumps({"private": True, "type": "module", "dependencies": PACKAGES})
        kept = folder / "package.json"
        if not shutil.which("npm"):
            raise NotInstalled("there is no npm on this machine (on Debian: apt install nodejs npm)")
        if not (kept.exists() and kept.read_text() == manifest and (folder / "node_modules/oidc-provider").exists()):
            kept.write_text(manifest)
            run(["npm", "install", "--no-audit", "--no-fund", "--loglevel", "error"], folder)
        shutil.copy(SERVERS / "oidc-provider.mjs", folder / "server.mjs")

    def start(self, place: Place) -> Running:
        configuration = {
            "port": place.port,
            "database": {
                "host": place.database.socket_dir,
                "user": place.database.user,
                "database": place.database.name,
            },
            "jwks": json.loads(place.keys.read_text()),
            "client": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": REDIRECT_URI},
            "persons": PERSONS,
            "password": PASSWORD,
        }
        place.folder.joinpath("configuration.json").write_text(json.dumps(configuration))
        metadata = f"{place.address}/.well-known/openid-configuration"
        process = serve(place, ["node", "server.mjs"], metadata, NODE_ENV="production")
        forms = {
            "client credentials": {"scope": "api"},
            "client credentials, JWT": {"scope": "api", "resource": "urn:bench:api"},
        }
        return Running([process], discovered(metadata), system_form=forms)
