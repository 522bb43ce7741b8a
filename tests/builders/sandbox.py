"""Developers of the sandbox, signed in through its own pages."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from sqlalchemy import text

from kernel.database.db import session

APPLICATION = {
    "name": "Trámites de Ñuble",
    "profile": "standard",
    "redirect_uris": "http://localhost:5000/callback\nhttps://tramites.example.cl/entrada",
    "post_logout_redirect_uris": "http://localhost:5000/",
}


def a_developer(client: FlaskClient, email: str = "eva@example.cl") -> None:
    """Sign a developer in to this browser by the link of their mail."""
    client.post("/sandbox/sign-in", data={"email": email})
    with client.application.app_context():
        query = "SELECT args->>'text' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver' ORDER BY id DESC"
        letter = session().scalars(text(query)).first()
    found = re.search(r"/sandbox/sign-in/confirm\?token=(\S+)", letter or "")
    assert found
    assert client.post("/sandbox/sign-in/confirm", data={"token": found[1]}).status_code == 303


def an_application(client: FlaskClient, **values: str) -> tuple[str, str]:
    """An application of the developer signed in: its client identifier and its secret."""
    page = client.post("/sandbox/applications/new", data=APPLICATION | values)
    assert page.status_code == 201, page.text
    secret = re.search(r"<code>([\w-]{43})</code>", page.text)
    client_id = re.search(r"/sandbox/applications/(\w{32})/try", page.text)
    assert secret
    assert client_id
    return client_id[1], secret[1]
