"""oidcc-formpost-basic-certification-test-plan: the basic plan's answers, posted by the browser.

The plan runs the modules of the basic plan again; what differs is how the answer of /authorize travels, shown here for
each kind of answer.
"""

import re

import pytest
from builders.clients import CALLBACK, STATE, authorize, redeem
from builders.conformance import ISSUER, a_token_answer
from builders.requests import agree, posted
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.people.models import Person


def form_of(page: TestResponse) -> dict[str, str]:
    """CheckCallbackHttpMethodIsPost, CheckCallbackContentTypeIsFormUrlEncoded, RejectAuthCodeInUrlQuery,
    RejectErrorInUrlQuery.
    """
    assert (page.status_code, page.mimetype) == (200, "text/html")
    form = re.search(r"<form([^>]*)>", page.text)
    assert form
    assert 'method="post"' in form[1]
    assert f'action="{CALLBACK}"' in form[1]
    assert "enctype" not in form[1]
    assert "no-store" in page.headers["Cache-Control"]
    return posted(page)


def test_a_code_is_posted(client: FlaskClient, made: NewClient, person: Person) -> None:
    """oidcc-server, and every module that ends well"""
    told = form_of(agree(client, authorize(client, made, response_mode="form_post")))
    assert set(told) == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == (STATE, ISSUER)
    a_token_answer(redeem(client, made, told["code"]))


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"prompt": "none"}, {"login_required", "interaction_required"}),
        ({"response_type": None}, {"invalid_request", "unsupported_response_type"}),
        ({"request_uri": "https://elsewhere.example/#x"}, {"request_uri_not_supported"}),
    ],
)
def test_an_error_is_posted(
    client: FlaskClient, made: NewClient, wrong: dict[str, str | None], errors: set[str]
) -> None:
    """oidcc-prompt-none-not-logged-in, oidcc-response-type-missing, oidcc-request-uri-unsigned-…"""
    told = form_of(authorize(client, made, response_mode="form_post", **wrong))
    assert told["error"] in errors
    assert (told["state"], told["iss"]) == (STATE, ISSUER)
    assert set(told) <= {"error", "error_description", "state", "iss"}
