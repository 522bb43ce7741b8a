"""Debian's `mod_auth_openidc`, which agencies put before what they already have, protects a page with our sign-in."""

from builders.apache import apache
from builders.browser import PersonWithBrowser
from builders.clients import a_client
from flask import Flask
from walking import House, free_address


def test_it_protects_a_page(app: Flask, served: House, person: PersonWithBrowser) -> None:
    site = free_address()
    page, returns, left = f"{site}/protected/page.shtml", f"{site}/protected/returns", f"{site}/left.html"
    with app.app_context():
        made = a_client("standard", redirect_uris=[returns], post_logout_redirect_uris=[left], scopes=["name"])
    issuer = f"{served.base_url}/openid"
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
        back = person.http.get(person.go(page))
        assert (back.status_code, back.headers["Location"]) == (302, page), back.text
        shown = person.http.get(page).text
        assert "name=Ana Ñancupil" in shown
        assert f"iss={issuer}" in shown
        assert "REMOTE_USER=(none)" not in shown

        assert person.go(f"{returns}?logout={left}") == left
        asked = person.http.get(page)
        assert asked.headers["Location"].startswith(f"{issuer}/authorize?")
        again = person.http.get(asked.headers["Location"], follow_redirects=True)
        assert 'name="password"' in again.text
