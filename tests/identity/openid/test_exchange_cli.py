"""The operator's commands for who may call whom on behalf of people."""

import json

import pytest
from builders.clients import a_client, a_system
from click.testing import CliRunner
from flask import Flask

from portal.cli import context
from portal.cli.exchange import exchange


def test_a_pair_is_allowed_and_forbidden(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "quiet_application", lambda: app)
    with app.app_context():
        pair = [a_client("standard").client.client_id, a_system().client.client_id]
    refused = CliRunner().invoke(exchange, ["allow", *pair])
    assert refused.exit_code == 2
    allowed = CliRunner().invoke(exchange, ["allow", *pair, "--scope", "run", "--scope", "name", "--json"])
    assert json.loads(allowed.stdout) == {"actor": pair[0], "target": pair[1], "scopes": ["name", "run"]}
    assert CliRunner().invoke(exchange, ["allow", "nobody", pair[1], "--scope", "run"]).exit_code == 1
    assert CliRunner().invoke(exchange, ["forbid", *pair]).exit_code == 0
    assert CliRunner().invoke(exchange, ["forbid", *pair]).exit_code == 1
