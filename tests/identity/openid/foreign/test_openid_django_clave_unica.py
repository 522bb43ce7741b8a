"""The package index's `django-clave-unica` 1.0.1, unmodified, logs in against the running server."""

import json
import sys
from importlib.metadata import version
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders.browser import PersonWithBrowser
from builders.identity import a_person
from flask import Flask
from walking import Installation

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them

CALLBACK = "http://localhost:5999/claveunica/callback/"
SITE = "a_django_site"


def test_it_logs_in_unmodified(app: Flask, served: Installation) -> None:
    with app.app_context():
        a_person("44.444.444-4", ["María", "Carmen"], ["Del Río", "Gonzalez"], password="testing", is_test_person=True)
    made = json.loads(
        served.cli(
            *("client", "create", "--name", "Sitio Django", "--profile", "clave-unica"),
            *("--redirect-uri", CALLBACK, "--json"),
        )
    )
    site = a_site(made, served.base_url)

    away = site.get("/claveunica/login/")
    assert away.status_code == 302
    person = PersonWithBrowser(served.base_url, "44.444.444-4", "testing")
    back = urlsplit(person.go(away["Location"]))
    assert back.geturl().startswith(CALLBACK)
    home = site.get(f"{back.path}?{back.query}")

    assert (home.status_code, home["Location"]) == (302, "/home/"), home.content.decode()
    assert version("django-clave-unica") == "1.0.1"
    signed_in_as_the_person()


def signed_in_as_the_person() -> None:
    from clave_unica_auth.models import Login, Person

    login, person = Login.objects.get(), Person.objects.get()
    assert login.completed
    assert (person.run_num, person.run_dv, person.run_type) == (44444444, "4", "RUN")
    assert (login.user.username, login.user.email) == ("44444444-4", "maria@example.cl")
    assert (login.user.first_name, login.user.last_name) == ("María Carmen", "Del Río Gonzalez")
    assert max(len(login.authorization_code), len(login.access_token)) <= 120


def a_site(made: dict[str, Any], base_url: str) -> Any:
    """A browser at a Django site that has nothing but the package; only its documented settings are set."""
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.urls import include, path

    settings.configure(
        SECRET_KEY="a secret of the test",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=SITE,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "clave_unica_auth",
        ],
        CLAVE_UNICA={
            "CLIENT_ID": made["client_id"],
            "CLIENT_SECRET": made["client_secret"],
            "REDIRECT_URI": CALLBACK,
            "URL_LOGIN": f"{base_url}/openid/authorize",
            "TOKEN_URI": f"{base_url}/openid/token",
            "USERINFO_URI": f"{base_url}/openid/userinfo",
            "URL_LOGOUT": f"{base_url}/api/v1/accounts/app/logout",
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)
    urls: Any = ModuleType(SITE)
    urls.urlpatterns = [path("claveunica/", include("clave_unica_auth.urls"))]
    sys.modules[SITE] = urls
    from django.test import Client

    return Client()
