"""Canaille's WSGI application; as a program it seeds.

Runs in an environment of its own, with `configuration.json` beside it.
"""

import datetime
import json
from pathlib import Path

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend

CONFIGURATION = json.loads(Path(__file__).with_name("configuration.json").read_text())


def seed() -> None:
    """The bench's persons and its one client."""
    with create_app(init_backend=True).app_context():
        backend = Backend.instance
        with backend.session():
            for name in CONFIGURATION["users"]:
                person = models.User(
                    user_name=name,
                    family_name="User",
                    given_name="Bench",
                    formatted_name="Bench User",
                    emails=[f"{name}@example.org"],
                    password=CONFIGURATION["password"],
                )
                backend.save(person)
            client_id, secret, redirect_uri = CONFIGURATION["application"]
            client = models.Client(
                client_id=client_id,
                client_secret=secret,
                client_name="bench",
                client_uri="http://127.0.0.1/",
                redirect_uris=[redirect_uri],
                token_endpoint_auth_method="client_secret_basic",
                grant_types=["authorization_code", "client_credentials"],
                response_types=["code"],
                scope=["openid", "profile", "email"],
                client_id_issued_at=datetime.datetime.now(datetime.UTC),
                contacts=["bench@example.org"],
            )
            backend.save(client)
            client.audience = [client]
            backend.save(client)


if __name__ == "__main__":
    seed()
else:
    application = create_app()
