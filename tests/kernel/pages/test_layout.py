"""The page around every page: switches, places, static files, and how things are written."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, render_template, render_template_string
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, RadioField, StringField
from wtforms.validators import DataRequired, Optional

from kernel.base import errors
from kernel.base.settings import Settings
from kernel.http.i18n import install_i18n
from kernel.jobs.access import AUTHENTICATORS, AgencyRef, Principal, act_as, public, refuse_bare_views
from kernel.pages import layout
from kernel.pages.layout import add_footer_link, add_navigation, install_layout, local_path, set_place

TRANSLATIONS = Path(layout.__file__).parents[1] / "translations"
OFFICIAL = Principal("official", "1", "Ana Pérez", AgencyRef("AE003", "Servicio de Registro"))


class Enrol(FlaskForm):
    run = StringField("RUN", [DataRequired("Enter your RUN.")])
    password = PasswordField("Password", [DataRequired("Write it.")], description="Twelve characters or more.")
    email = StringField("E-mail", [Optional()])
    basis = RadioField("Basis", [DataRequired("Choose one.")], choices=[("a", "Law"), ("b", "Consent")])
    agreed = BooleanField("I agree", [DataRequired("Agree first.")])


@pytest.fixture
def app() -> Flask:
    """The layout alone: no database anywhere near."""
    app = Flask("layout_alone", static_folder=None)
    app.config.update(TESTING=True, SECRET_KEY="for a test")
    install_i18n(app, [TRANSLATIONS])
    install_layout(app, Settings())
    AUTHENTICATORS.fill(app, [])

    @app.get("/")
    @app.get("/somewhere/<path:rest>")
    @public("test")
    def page(rest: str = "") -> str:
        return render_template_string('{% extends "layout.html" %}{% block title %}A page{% endblock %}')

    @app.get("/broken")
    @public("test")
    def broken() -> str:
        return render_template("error.html", problem=errors.Unavailable(), request_id="abc")

    refuse_bare_views(app)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x",
        "https://evil.example",
        "javascript:alert(1)",
        "evil",
        " /a",
        "/a\\..\\b",
        "///evil.example",
    ],
)
def test_no_other_site_is_a_place_to_go_back_to(elsewhere: str | None) -> None:
    assert local_path(elsewhere) == "/"


@pytest.mark.parametrize("path", ["/", "/a", "/a/b?q=oficio&cursor=x", "/a?next=//evil.example"])
def test_a_path_of_this_site_is_kept(path: str) -> None:
    assert local_path(path) == path


def test_the_language_switch_remembers_and_comes_back(client: FlaskClient) -> None:
    assert '<html lang="es"' in client.get("/", headers={"Accept-Language": "fr"}).text
    answer = client.get("/language/en?next=/somewhere/else%3Fq%3D1")
    assert (answer.status_code, answer.location) == (303, "/somewhere/else?q=1")
    english = client.get("/", headers={"Accept-Language": "es"})
    assert '<html lang="en"' in english.text
    assert "Skip to the content" in english.text
    assert "Accept-Language" in english.headers["Vary"]


def test_the_switches_take_nobody_to_another_site(client: FlaskClient) -> None:
    assert client.get("/language/es?next=//evil.example").location == "/"
    assert client.get("/scheme/dark?next=https://evil.example").location == "/"


@pytest.mark.parametrize("path", ["/language/xx", "/scheme/sepia"])
def test_an_unknown_choice_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ("", "en-US,en;q=0.9,es;q=0.5", "en"),
        ("", "es-CL,es;q=0.9,en;q=0.5", "es"),
        ("", "fr", "es"),
        ("", "", "es"),
        ("?ui_locales=en-GB+es", "es", "en"),
        ("?ui_locales=fr+es-CL", "en", "es"),
        ("?ui_locales=fr", "en", "en"),
    ],
)
def test_the_language_is_the_first_that_somebody_asked_for(
    client: FlaskClient, query: str, accept: str, expected: str
) -> None:
    assert f'<html lang="{expected}"' in client.get(f"/{query}", headers={"Accept-Language": accept}).text


def test_the_reader_chooses_light_or_dark(client: FlaskClient) -> None:
    assert "screen and (prefers-color-scheme: dark)" in client.get("/").text
    client.get("/scheme/dark")
    assert 'data-bs-theme="dark"' in client.get("/").text
    client.get("/scheme/light")
    assert "dark.css" not in client.get("/").text


def test_a_page_says_who_acts_and_for_which_agency(app: Flask, client: FlaskClient) -> None:
    AUTHENTICATORS.of(app).append(lambda: OFFICIAL)
    set_place(app, "sign_out", "page", method="post")
    page = client.get("/").text
    assert "Ana Pérez" in page
    assert "Servicio de Registro" in page
    assert "AE003" in page
    assert "Cerrar sesión" in page


def test_the_navigation_shows_to_each_what_concerns_them(app: Flask, client: FlaskClient) -> None:
    add_navigation(app, "For all", "page", order=20)
    add_navigation(app, "For officials", "page", lambda who: who.kind == "official", order=10)
    add_footer_link(app, "At the foot", "page")
    page = client.get("/").text
    assert "For all" in page
    assert "At the foot" in page
    assert "For officials" not in page
    AUTHENTICATORS.of(app).append(lambda: OFFICIAL)
    page = client.get("/").text
    assert page.index("For officials") < page.index("For all")


def test_a_problem_page_asks_nobody_who_is_there(app: Flask, client: FlaskClient) -> None:
    def database_is_down() -> Principal:
        raise AssertionError("asked")

    AUTHENTICATORS.of(app).append(database_is_down)
    page = client.get("/broken").text
    assert "No podemos responder" in page
    assert "abc" in page


def test_a_page_that_is_not_there_still_says_who_acts(app: Flask, client: FlaskClient) -> None:
    app.register_error_handler(404, lambda _: render_template("error.html", problem=errors.NotFound()))
    AUTHENTICATORS.of(app).append(lambda: OFFICIAL)
    assert "Ana Pérez" in client.get("/nothing-here").text


def test_no_page_styles_or_runs_anything_inline(client: FlaskClient) -> None:
    page = client.get("/").text
    assert " style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count("<script src=")
    assert "http://" not in page.replace("http://localhost", "")
    assert "https://" not in page


def test_a_static_file_is_kept_for_a_year_only_under_its_hash(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context():
        address = layout.asset_url("kernel", "cordillera.css")
    assert client.get(address).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in client.get("/static/kernel/cordillera.css").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ '123456785' | run }}", "12.345.678-5"),
        ("{{ 12345 | number }}", "12.345"),
        ("{{ 2345678 | filesize }}", "2,3 MB"),
        ("{{ 999 | filesize }}", "999 bytes"),
        ("{{ 0 | filesize }}", "0 bytes"),
        ("{{ at | localtime }}", "1 jul 2026, 00:30"),
        ("{{ at | localtime(True) }}", "1 jul 2026, 00:30:05"),
    ],
)
def test_values_are_written_as_in_chile(app: Flask, template: str, written: str) -> None:
    with app.test_request_context():
        assert render_template_string(template, at=datetime(2026, 7, 1, 4, 30, 5, tzinfo=UTC)) == written


def test_a_wrong_form_says_where_and_why(app: Flask) -> None:
    with app.test_request_context(method="POST", data={}):
        act_as(OFFICIAL)
        form = Enrol()
        form.validate()
        page = render_template_string(
            '{% import "macros.html" as ui %}{{ ui.form(form, "Send", cancel="/") }}', form=form
        )
    assert '<a href="#run">RUN: Enter your RUN.</a>' in page
    assert '<a href="#basis-0">' in page
    assert 'aria-describedby="password-hint password-error"' in page
    assert 'id="password-hint">Twelve characters or more.' in page
    assert page.count('aria-invalid="true"') == 3
    assert page.count("(opcional)") == 1
    assert "12.345.678-5" in page


def test_the_next_page_keeps_the_question(app: Flask) -> None:
    with app.test_request_context("/somewhere/x?q=oficio&cursor=old"):
        page = render_template_string('{% import "macros.html" as ui %}{{ ui.pager(page) }}', page={"next": "new"})
    assert "/somewhere/x?q=oficio&amp;cursor=new" in page
    assert '"/somewhere/x?q=oficio"' in page


def test_what_people_write_is_never_markup(app: Flask) -> None:
    with app.test_request_context():
        page = render_template_string(
            '{% import "macros.html" as ui %}{{ ui.table(["A"], [[x]]) }}{{ ui.facts([("A", x)]) }}{{ ui.status(x) }}'
            "{{ ui.card(x, x, x) }}{{ ui.code(x, x) }}{{ ui.search(x, x, x) }}{{ ui.link(x, x) }}",
            x='"><script>',
        )
    assert "<script>" not in page
    assert '""' not in page


def test_only_pages_that_are_served_are_reachable(app: Flask) -> None:
    with app.test_request_context():
        assert layout.is_reachable("/broken")
        assert not layout.is_reachable("/account")


@pytest.mark.parametrize(("has_agencies", "times"), [(False, 0), (True, 2)])
def test_only_people_who_work_for_an_agency_are_offered_to_act_for_one(
    app: Flask, client: FlaskClient, has_agencies: bool, times: int
) -> None:
    someone = Principal("person", "1", "María Del Río", has_agencies=has_agencies)
    AUTHENTICATORS.of(app).append(lambda: someone)
    set_place(app, "choose_agency", "page")
    assert client.get("/").text.count("Actuar por un organismo") == times, "in the bar, and in the menu of a phone"


def test_on_a_phone_the_links_of_the_session_are_in_the_menu(app: Flask, client: FlaskClient) -> None:
    AUTHENTICATORS.of(app).append(lambda: OFFICIAL)
    set_place(app, "sign_out", "page", method="post")
    set_place(app, "account", "page")
    menu = client.get("/").text.split('id="menu"')[1].split("</nav>")[0]
    assert "Su cuenta" in menu
    assert "Cerrar sesión" in menu
