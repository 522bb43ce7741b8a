"""Cordillera with a password hash that costs nothing, to be run by gunicorn as `…cheap_hash:application()`."""

from __future__ import annotations

from argon2 import PasswordHasher
from flask import Flask

from identity.people import rules
from portal.app import create_app


def use_cheap_hash() -> None:
    """For this process: argon2id with the least that it can be made to cost."""
    rules._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def application() -> Flask:
    use_cheap_hash()
    return create_app()
