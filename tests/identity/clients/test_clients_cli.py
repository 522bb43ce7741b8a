"""The operator's commands for clients, as the contract has them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.identity import an_agency
from builders.keys import a_key, public
from click.testing import CliRunner, Result
from flask import Flask

from kernel.jobs.access import MACHINE_SCOPES
from portal.cli import context
from portal.cli.client import client as client_commands

Command = Callable[..., Result]
USUAL = ("--name", "Prueba", "--redirect-uri", "http://127.0.0.1:9/callback")


@pytest.fixture
def command(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(context, "quiet_application", lambda: app)
    return lambda *arguments: CliRunner().invoke(client_commands, arguments)


def made(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_create_prints_one_json_object(command: Command) -> None:
    found = made(command("create", *USUAL, "--profile", "clave-unica", "--environment", "sandbox", "--json"))
    assert len(str(found["client_secret"])) == 43
    assert len(str(found["client_id"])) == 32
    assert (found["profile"], found["redirect_uris"], found["scope"]) == (
        "clave-unica",
        ["http://127.0.0.1:9/callback"],
        "openid run name email",
    )


def test_scopes_named_come_besides_the_usual_ones(command: Command) -> None:
    found = made(
        command(
            *("create", *USUAL, "--profile", "standard", "--scope", "offline_access", "--auth-method", "none"),
            *("--post-logout-redirect-uri", "http://127.0.0.1:9/left", "--json"),
        )
    )
    assert found["scope"] == "openid run name profile email offline_access"
    assert found["client_secret"] is None
    assert found["post_logout_redirect_uris"] == ["http://127.0.0.1:9/left"]


def test_what_cannot_be_is_said_plainly(command: Command) -> None:
    for arguments, said in (
        (("--profile", "fapi2"), "jwks"),
        (("--profile", "fapi2", "--auth-method", "client_secret_basic"), "FAPI 2.0 Security Profile 5.3.2.1"),
        (("--profile", "fapi2", "--auth-method", "tls_client_auth"), "tls_client_auth_subject_dn"),
        (("--profile", "clave-unica", "--scope", "offline_access"), "offline_access"),
        (("--profile", "clave-unica", "--auth-method", "none"), "auth_method"),
        (("--profile", "standard", "--environment", "production"), "redirect_uris"),
        (("--profile", "standard", "--redirect-uri", "ftp://x"), "redirect_uris"),
    ):
        result = command("create", *USUAL, *arguments, "--json")
        assert result.exit_code == 1, arguments
        assert said in result.stderr
        assert result.stdout == ""


def test_fapi2_with_a_file_of_keys(command: Command, tmp_path: Path) -> None:
    key, file = a_key(kid="one"), tmp_path / "keys.json"
    usual = ("create", *USUAL, "--profile", "fapi2", "--jwks", str(file), "--json")
    for wrong, code in (
        ("{", 2),
        ("[]", 1),
        ('{"keys": []}', 1),
        (json.dumps({"keys": [key.as_dict(private=True)]}), 1),
        (json.dumps(key.as_dict(private=True)), 1),
    ):
        file.write_text(wrong)
        result = command(*usual)
        assert (result.exit_code, result.stdout) == (code, ""), wrong
    for sound in (public(key), key.as_dict(private=False)):
        file.write_text(json.dumps(sound))
        found = made(command(*usual, "--auth-method", "private_key_jwt"))
        assert (found["client_secret"], found["auth_method"]) == (None, "private_key_jwt")


def test_another_profile_keeps_the_credentials_that_it_allows(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(public(a_key())))
    client_id = str(made(command("create", *USUAL, "--profile", "standard", "--json"))["client_id"])
    refused = command("change", client_id, "--profile", "fapi2", "--json")
    assert (refused.exit_code, "FAPI 2.0" in refused.stderr) == (1, True)
    assert made(command("change", client_id, "--profile", "clave-unica", "--json"))["client_secret"] is None
    strict = ("--profile", "fapi2", "--auth-method", "private_key_jwt", "--jwks", str(file))
    assert made(command("change", client_id, *strict, "--json"))["profile"] == "fapi2"
    assert made(command("change", client_id, "--profile", "standard", "--json"))["auth_method"] == "private_key_jwt"


def test_a_token_for_programs_that_register(command: Command) -> None:
    usual = ("create-initial-token", "--purpose", "Una prueba", "--json")
    assert len(str(made(command(*usual))["initial_access_token"])) == 43
    assert command("create-initial-token", "--purpose", "", "--json").exit_code == 1
    assert command(*usual, "--uses", "0").exit_code == 1


def test_list_rotate_and_revoke(command: Command) -> None:
    client_id = str(made(command("create", *USUAL, "--profile", "standard", "--json"))["client_id"])
    assert client_id in made(command("list", "--json"))
    assert made(command("rotate-secret", client_id, "--json"))["client_secret"]
    assert made(command("revoke", client_id, "--json"))["revoked"] is True
    assert command("rotate-secret", client_id).exit_code == 1
    assert command("rotate-secret", "nothing").exit_code == 1


def test_create_system_for_an_agency(app: Flask, command: Command) -> None:
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
    usual = ("create-system", "--name", "Sistema", "--scope", "communications.send communications.receive")
    found = made(command(*usual, "--agency", "AE001", "--json"))
    assert len(str(found["client_secret"])) == 43
    assert (found["agency"], found["scope"]) == ("AE001", "communications.receive communications.send")
    for wrong, said in ((("--agency", "AE999"), "agency"), (("--agency", "AE001", "--scope", "openid"), "openid")):
        result = command(*usual, *wrong)
        assert (result.exit_code, result.stdout) == (1, "")
        assert said in result.stderr


def test_a_system_may_have_keys_or_a_certificate_in_place_of_a_secret(
    app: Flask, command: Command, tmp_path: Path
) -> None:
    MACHINE_SCOPES.fill(app, {"communications.send": "Send"})
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(public(a_key())))
    usual = ("create-system", "--name", "Prueba", "--agency", "AE001", "--scope", "communications.send", "--json")
    signs = made(command(*usual, "--auth-method", "private_key_jwt", "--jwks", str(keys)))
    assert (signs["auth_method"], signs["client_secret"]) == ("private_key_jwt", None)
    for option, name in (
        ("--tls-subject-dn", "CN=sistema,O=Servicio,C=CL"),
        ("--tls-san-dns", "sistema.example.cl"),
        ("--tls-san-uri", "urn:cl:sistema"),
        ("--tls-san-ip", "192.0.2.1"),
        ("--tls-san-email", "sistema@example.cl"),
    ):
        shown = made(command(*usual, "--auth-method", "tls_client_auth", option, name))
        assert shown["auth_method"] == "tls_client_auth"
    for wrong in (
        ("--tls-san-dns", "a.example.cl"),
        ("--auth-method", "tls_client_auth"),
        ("--auth-method", "tls_client_auth", "--tls-san-dns", "a.example.cl", "--tls-san-ip", "192.0.2.1"),
        ("--auth-method", "tls_client_auth", "--tls-san-ip", "example.cl"),
        ("--auth-method", "tls_client_auth", "--tls-subject-dn", "nobody"),
        ("--auth-method", "none"),
        ("--auth-method", "private_key_jwt"),
    ):
        assert command(*usual, *wrong).exit_code == 1, wrong
    changed = made(command("change", str(signs["client_id"]), "--auth-method", "client_secret_basic", "--json"))
    assert changed["client_secret"]
    back = ("change", str(signs["client_id"]), "--auth-method", "tls_client_auth", "--tls-san-dns", "b.example.cl")
    assert made(command(*back, "--json"))["auth_method"] == "tls_client_auth"
