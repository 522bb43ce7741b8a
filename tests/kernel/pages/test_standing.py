"""Pages that are kept: what they show is what rendering them anew would show, whatever the values are."""

import re

import pytest
from flask import Flask, flash, render_template_string
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from kernel.jobs.access import Principal, act_as, public
from kernel.pages.cached_page import CachedPage

PAGE = """{% extends "layout.html" %}{% block content %}
<p title="{{ name }}">{{ _("Sign in") }} {% if name %}{{ name }}{% else %}nobody{% endif %}</p>
<input name="next" value="{{ next }}"><input name="csrf_token" value="{{ csrf_token() }}">
{% endblock %}"""
VARIES = re.compile(r"""nonce="[^"]*"|name="csrf_token" value="[^"]*""")


def render(name: str, next: str) -> str:
    return render_template_string(PAGE, name=name, next=next)


kept = CachedPage(render)


def same_page(app: Flask, address: str, name: str, following: str, language: str = "es") -> str:
    """The kept page, which is asserted to be the one rendered anew."""
    with app.test_request_context(address, headers={"Accept-Language": language}):
        app.preprocess_request()
        page = kept(name=name, next=following)
        assert VARIES.sub("", page) == VARIES.sub("", render(name, following))
        return page


@given(name=st.text(max_size=40), following=st.text(max_size=40), query=st.text(max_size=20))
def test_a_kept_page_is_the_page_rendered_anew(app: Flask, name: str, following: str, query: str) -> None:
    with app.test_request_context("/", query_string={"q": query}) as context:
        address = context.request.full_path
    same_page(app, address, name, following)


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", '"><b>', "csrf_token", "here", "{{ 1 }}", "%s", "a&b"])
def test_values_stay_values(app: Flask, value: str) -> None:
    page = same_page(app, "/?q=1&r=%22", value, value)
    assert "<b>" not in page
    assert "<script>" not in page


def test_each_language_and_what_is_left_out_has_a_page_of_its_own(app: Flask) -> None:
    pages = {same_page(app, "/", name, "", language) for name in ("", "Ana") for language in ("es", "en")}
    assert len({VARIES.sub("", page) for page in pages}) == 4
    assert sum("nobody" in page for page in pages) == 2


def test_two_readers_never_share_a_token_or_a_nonce(app: Flask) -> None:
    found = [set(re.findall(r'(?:nonce|csrf_token" value)="([^"]*)"', same_page(app, "/", "", ""))) for _ in range(2)]
    assert len(found[0]) == 2
    assert not found[0] & found[1]


def test_who_is_signed_in_or_is_told_something_gets_a_page_of_their_own(app: Flask) -> None:
    with app.test_request_context("/"):
        app.preprocess_request()
        flash("Only for you.", "success")
        assert "Only for you." in kept(name="", next="")
    with app.test_request_context("/"):
        app.preprocess_request()
        act_as(Principal("person", "1", "Ana Rojas"))
        assert "Ana Rojas" in kept(name="", next="")
    assert "Ana Rojas" not in same_page(app, "/", "", "")


def test_the_token_of_a_kept_page_is_good(app: Flask) -> None:
    client = FlaskClient(app, app.response_class)

    @app.route("/kept", methods=["GET", "POST"])
    @public("a test")
    def page() -> str:
        return kept(name="Ana", next="/")

    for _ in range(2):
        token = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/kept").text)
        assert token
        assert client.post("/kept", data={"csrf_token": token[1]}).status_code == 200
        assert client.post("/kept").status_code == 400
