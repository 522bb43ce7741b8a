"""A Django site with django-oauth-toolkit in one module: settings, addresses, seed and WSGI application.

Runs in an environment of its own, with `configuration.json` beside it; as a program it migrates and seeds.
"""

import json
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.wsgi import get_wsgi_application

CONFIGURATION = json.loads(Path(__file__).with_name("configuration.json").read_text())
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SIGN_IN_PAGE = """<!doctype html><form method="post">{% csrf_token %}{{ form.as_p }}
<input type="hidden" name="next" value="{{ next }}"><button type="submit">Sign in</button></form>"""


class Owasp(Argon2PasswordHasher):
    time_cost = CONFIGURATION["argon2"]["time_cost"]
    memory_cost = CONFIGURATION["argon2"]["memory_cost"]
    parallelism = CONFIGURATION["argon2"]["parallelism"]


if not settings.configured:
    settings.configure(
        SECRET_KEY="only for a bench, which nobody reaches but the bench itself",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF="django_site",
        DATABASES={
            "default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **CONFIGURATION["database"]}
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "oauth2_provider",
        ],
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [("django.template.loaders.locmem.Loader", {"sign_in.html": SIGN_IN_PAGE})],
                    "context_processors": ["django.template.context_processors.request"],
                },
            }
        ],
        PASSWORD_HASHERS=["django_site.Owasp"],
        LOGIN_URL="/sign-in/",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": CONFIGURATION["issuer"],
            "OIDC_RSA_PRIVATE_KEY": Path(CONFIGURATION["key"]).read_text(),
            "PKCE_REQUIRED": True,
            "REQUEST_APPROVAL_PROMPT": "auto",
            "ALLOWED_SCHEMES": ["https", "http"],
            "DEFAULT_SCOPES": ["openid"],
            "SCOPES": {name: name for name in ("openid", "profile", "email", "api", "introspection")},
        },
    )
    django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 (needs the settings above)
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402

urlpatterns = [
    path("sign-in/", LoginView.as_view(template_name="sign_in.html")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def seed() -> None:
    """The bench's persons, all with one hash, and a client for each grant."""
    call_command("migrate", verbosity=0)
    persons, applications = get_user_model(), get_application_model()
    first, *others = CONFIGURATION["users"]
    about = {"email": "bench@example.org", "first_name": "Bench", "last_name": "User"}
    user = persons.objects.create_user(first, password=CONFIGURATION["password"], **about)
    persons.objects.bulk_create([persons(username=name, password=user.password, **about) for name in others])
    application, system = CONFIGURATION["application"], CONFIGURATION["system"]
    common = {"user": user, "hash_client_secret": False, "client_type": "confidential", "algorithm": "RS256"}
    applications.objects.create(
        client_id=application[0],
        client_secret=application[1],
        redirect_uris=application[2],
        authorization_grant_type="authorization-code",
        skip_authorization=True,
        **common,
    )
    applications.objects.create(
        client_id=system[0], client_secret=system[1], authorization_grant_type="client-credentials", **common
    )


if __name__ == "__main__":
    seed()
else:
    application = get_wsgi_application()
