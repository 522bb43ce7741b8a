"""Debian's `mod_auth_openidc`, which agencies put before what they already have, protects a page with our sign-in."""

from collections.abc import Iterator

import pytest
from builders.apache import apache
from builders.browser import PersonWithBrowser
from builders.clients import a_client
from flask import Flask
from walking import Installation

from kernel.jobs.jobs import run_worker

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them


@pytest.fixture
def page(app: Flask, served: Installation, site: str) -> Iterator[str]:
    """The address of the page, while Apache serves it."""
    returns, issuer = f"{site}/protected/returns", f"{served.base_url}/openid"
    with app.app_context():
        made = a_client(
            "standard",
            redirect_uris=[returns],
            post_logout_redirect_uris=[f"{site}/left.html"],
            scopes=["name"],
            options={"backchannel_logout_uri": f"{returns}?logout=backchannel"},
        )
    directives = {
        "OIDCProviderMetadataURL": f"{issuer}/.well-known/openid-configuration",
        "OIDCClientID": made.client.client_id,
        "OIDCClientSecret": str(made.secret),
        "OIDCProviderTokenEndpointAuth": "client_secret_basic",
        "OIDCPKCEMethod": "S256",
        "OIDCScope": "openid name",
        "OIDCRemoteUserClaim": "sub",
        "OIDCPassClaimsAs": "environment",
        "OIDCRedirectURI": returns,
        "OIDCCryptoPassphrase": "a passphrase of the test",
    }
    with apache(site, directives):
        yield f"{site}/protected/page.shtml"


def enter(person: PersonWithBrowser, page: str) -> str:
    """The page's words to the person who signed in."""
    back = person.http.get(person.go(page))
    assert (back.status_code, back.headers["Location"]) == (302, page), back.text
    return person.http.get(page).text


def is_asked_to_sign_in(person: PersonWithBrowser, page: str) -> bool:
    asked = person.http.get(page)
    away = asked.headers.get("Location", "")
    if not away.startswith(f"{person.base_url}/openid/authorize?"):
        return False
    return 'name="password"' in person.http.get(away, follow_redirects=True).text


def test_it_protects_a_page(person: PersonWithBrowser, page: str, site: str) -> None:
    shown = enter(person, page)
    assert "name=Ana Ñancupil" in shown
    assert f"iss={person.base_url}/openid" in shown
    assert "REMOTE_USER=(none)" not in shown

    assert person.go(f"{site}/protected/returns?logout={site}/left.html") == f"{site}/left.html"
    assert is_asked_to_sign_in(person, page)


def test_it_hears_that_the_person_left_elsewhere(app: Flask, person: PersonWithBrowser, page: str) -> None:
    assert "name=Ana Ñancupil" in enter(person, page)
    person.leave()
    assert "name=Ana Ñancupil" in person.http.get(page).text, "nobody has told it yet"
    run_worker(app, until_empty=True)
    assert is_asked_to_sign_in(person, page)
