"""A process's memory of the published keys."""

from flask import Flask

from kernel.database.db import session
from kernel.keys.signatures import ensure_key, public_jwks, verification_keys


def test_keys_outlive_the_session_that_read_them(app: Flask) -> None:
    with app.app_context():
        kid = ensure_key("openid")
    with app.app_context():
        verification_keys("openid")
        session().rollback()
    with app.app_context():
        assert [key.kid for key in verification_keys("openid").keys] == [kid]
        assert [key["kid"] for key in public_jwks("openid")["keys"]] == [kid]
