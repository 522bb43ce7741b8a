"""Response modes: query, fragment and form (Multiple Response Types, Form Post), with `iss` (RFC 9207)."""

import re
from urllib.parse import parse_qs, urlsplit

from builders.clients import CALLBACK, STATE, a_client, answer_of, authorize, decide
from builders.requests import ISSUER, agree, posted
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.people.models import Person


def test_a_mode_that_the_profile_does_not_have_is_refused(app: Flask, client: FlaskClient, made: NewClient) -> None:
    with app.app_context():
        legacy = a_client("clave-unica")
    refused = [(made, mode) for mode in ("web_message", "jws", "JWT", "query.jwt ", "none.jwt")]
    refused += [(legacy, mode) for mode in ("fragment", "form_post", "jwt", "query.jwt", "form_post.jwt")]
    for asked, mode in refused:
        answer = answer_of(authorize(client, asked, response_mode=mode))
        assert (answer["error"], answer["state"]) == ("invalid_request", STATE), mode


def test_a_form_post_answer_is_escaped_for_html_and_not_for_addresses(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    state = "\"><script>alert('1')</script>&amp;%20+ =?"
    page = agree(client, authorize(client, made, response_mode="form_post", state=state))
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "<script>alert" not in page.text
    fields = posted(page)
    assert (fields["state"], fields["iss"], set(fields)) == (state, ISSUER, {"code", "state", "iss"})
    assert f'<form class="form" method="post" action="{CALLBACK}">' in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_a_form_post_page_runs_our_line_only_and_leads_to_the_client_only(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    page = agree(client, authorize(client, made, response_mode="form_post"))
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["form-action"] == "http://127.0.0.1:9"
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    nonce = re.search(r'<script nonce="([^"]+)">document.forms\[0\].submit\(\);</script>', page.text)
    assert nonce
    assert policy["script-src"] == f"'nonce-{nonce[1]}'"
    assert page.text.count("<script") == 1
    # Without scripts there is a button to press.
    assert '<button type="submit"' in page.text


def test_errors_travel_in_the_mode_asked_for(client: FlaskClient, person: Person, made: NewClient) -> None:
    page = authorize(client, made, response_mode="form_post", scope="run")
    fields = posted(page)
    assert (fields["error"], fields["state"], fields["iss"]) == ("invalid_scope", STATE, ISSUER)
    denied = decide(client, authorize(client, made, response_mode="form_post"), "deny")
    assert posted(denied)["error"] == "access_denied"


def test_a_fragment_answer_leaves_the_query_alone(client: FlaskClient, person: Person, made: NewClient) -> None:
    for changed, name in (({}, "code"), ({"scope": "run"}, "error")):
        response = agree(client, authorize(client, made, response_mode="fragment", **changed))
        parts = urlsplit(response.headers["Location"])
        answer = parse_qs(parts.fragment)
        assert (response.status_code, parts.query) == (303, "")
        assert name in answer
        assert (answer["iss"], answer["state"]) == ([ISSUER], [STATE])


def test_a_mode_that_came_twice_is_told_in_the_query(client: FlaskClient, made: NewClient) -> None:
    response = client.get(
        "/openid/authorize",
        query_string={
            "client_id": made.client.client_id,
            "redirect_uri": CALLBACK,
            "response_mode": ["form_post", "fragment"],
        },
    )
    assert answer_of(response)["error"] == "invalid_request"
