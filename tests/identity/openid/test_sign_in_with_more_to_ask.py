"""A sign-in that does not end at the application goes on to what is left to ask."""

from typing import Any

from builders.clients import (
    AUTHORIZE,
    a_client,
    a_client_in_use,
    a_code,
    answer_of,
    decide,
    following,
    path_of,
)
from builders.identity import a_person, sign_in
from builders.sign_ins import NO_COUNTER, Asking, Effects, asking_for
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from identity.authentication.sessions.rules import COOKIE
from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from identity.people.rules import SECOND_FACTOR_ALWAYS, SECOND_FACTOR_WHEN_ASKED
from kernel.database.db import engine


class TestAskedMore:
    """The password is right, and something else is wanted."""

    def assert_goes_on(self, effects: Effects, path: str) -> None:
        assert (effects.status, effects.location.partition("?")[0]) == (303, path)
        assert (effects.tags, effects.hashes) == (["identity:session:started"], 1)
        assert (len(effects.sessions), effects.codes, effects.counters) == (1, [], NO_COUNTER)

    def test_who_has_not_agreed_begins_one_session_and_is_asked(
        self, app: Flask, asking: Asking, made: NewClient
    ) -> None:
        with app.app_context():
            other = a_client("standard")
        self.assert_goes_on(asking.effects(next=path_of(other)), AUTHORIZE)

    def test_who_agreed_to_less_is_asked(self, app: Flask, client: FlaskClient, person: Person) -> None:
        with app.app_context():
            made = a_client("standard")
        a_code(client, made, scope="openid name")
        asking = asking_for(app, person, made)
        self.assert_goes_on(asking.effects(), AUTHORIZE)
        asking.effects(next=path_of(made, scope="openid name"))

    def test_the_session_of_who_is_asked_goes_on(self, app: Flask, asking: Asking) -> None:
        with app.app_context():
            other = a_client("standard")
        browser = app.test_client()
        entered = browser.post("/sign-in", data=asking.form | {"next": path_of(other)})
        page = browser.get(entered.location)
        assert answer_of(decide(browser, page, "allow"))["code"]

    def test_a_program_on_the_persons_machine_asks_each_time(
        self, app: Flask, asking: Asking, client: FlaskClient
    ) -> None:
        with app.app_context():
            public = a_client("standard", auth_method="none")
        a_code(client, public)
        self.assert_goes_on(asking.effects(next=path_of(public)), AUTHORIZE)

    def test_who_always_wants_a_code_is_asked_for_it_before_any_session(self, app: Flask, asking: Asking) -> None:
        change_people(app, second_factor=SECOND_FACTOR_ALWAYS)
        effects = asking.effects()
        assert (effects.status, effects.location.partition("?")[0]) == (303, "/sign-in/code")
        assert (effects.tags, effects.hashes) == (["identity:sign-in:code-wanted"], 1)
        assert (effects.sessions, effects.codes, effects.counters) == ([], [], NO_COUNTER)

    def test_who_wants_one_when_asked_is_not_asked_here(self, app: Flask, asking: Asking) -> None:
        change_people(app, second_factor=SECOND_FACTOR_WHEN_ASKED)
        asking.effects()

    def test_a_real_person_does_not_enter_an_application_under_test(self, app: Flask, asking: Asking) -> None:
        change_people(app, is_test_person=False)
        self.assert_goes_on(asking.effects(), AUTHORIZE)

    def test_a_test_person_does_not_enter_an_application_in_use(
        self, app: Flask, client: FlaskClient, asking: Asking
    ) -> None:
        with app.app_context():
            in_use, real = a_client_in_use("https://tramites.example.cl/"), a_person()
        sign_in(client, real)
        a_code(client, in_use, scope="openid run")
        asking.form["next"] = path_of(in_use, scope="openid run")
        self.assert_goes_on(asking.effects(), AUTHORIZE)
        assert asking.effects(run=str(real.run)).location.startswith("https://tramites.")


def change_people(app: Flask, **values: Any) -> None:
    with app.app_context(), engine().begin() as connection:
        connection.execute(update(Person).values(**values))


UNUSUAL: list[dict[str, str]] = [
    {"prompt": "login"},
    {"prompt": "consent"},
    {"prompt": "none"},
    {"max_age": "0"},
    {"acr_values": "urn:cordillera:acr:2"},
    {"claims": '{"id_token": {"acr": {"essential": true}}}'},
    {"login_hint": "44.444.444-4"},
    {"response_mode": "form_post"},
    {"redirect_uri": "https://elsewhere.cl/"},
    {"client_id": "unknown"},
    {"code_challenge": "short"},
    {"anything": "else"},
]


OUT_OF_HERE = [
    "https://elsewhere.cl",
    "//elsewhere.cl",
    "/\\elsewhere.cl",
    "\\\\elsewhere.cl",
    "http:",
    "x:",
    "\t",
    " ",
    "\x00",
]
OTHER_PATHS = ["/account", "/", "x", "/openid/consent", "/openid/authorize/x", "/openid/../x", "/openid/authoriz%65"]
ODD: list[dict[str, Any]] = [
    {"headers": {"Cookie": "language=en"}},
    {"headers": {"Cookie": f"{COOKIE}=nobodys"}},
    {"headers": {"Transfer-Encoding": "chunked"}},
    {"query_string": {"next": "/account"}},
    {"content_type": "multipart/form-data"},
    {"content_type": "application/x-www-form-urlencoded; charset=utf-8"},
    {"content_type": "application/json"},
]


class TestElsewhere:
    """A `next` that leads to anything but a plain and sound request."""

    def test_what_is_unusual_begins_one_session(self, asking: Asking, made: NewClient) -> None:
        for changed in UNUSUAL:
            effects = asking.effects(next=path_of(made, **changed))
            assert (effects.hashes, len(effects.sessions)) == (1, 1)

    def test_what_is_repeated_or_cannot_be_read_does_too(self, asking: Asking, made: NewClient) -> None:
        for more in ("&state=again", "&client_id=unknown", "&scope=openid", "&a", "&%ff", "&state=%00"):
            asking.effects(next=path_of(made) + more)

    def test_what_leads_out_of_here_leads_nowhere(self, asking: Asking, made: NewClient) -> None:
        for before in OUT_OF_HERE:
            effects = asking.effects(next=before + path_of(made))
            assert (effects.location, effects.codes, effects.hashes, len(effects.sessions)) == ("/", [], 1, 1)

    def test_other_paths_are_gone_to_as_ever(self, asking: Asking, made: NewClient) -> None:
        query = path_of(made).partition("?")[2]
        for following_ in (*OTHER_PATHS, *(f"{path}?{query}" for path in OTHER_PATHS), AUTHORIZE):
            effects = asking.effects(next=following_)
            assert (effects.codes, effects.hashes, len(effects.sessions)) == ([], 1, 1)

    def test_a_mark_of_ours_that_was_tampered_with_is_none(
        self, asking: Asking, client: FlaskClient, made: NewClient
    ) -> None:
        stranger = client.application.test_client(use_cookies=False)
        marked = following(stranger.get(path_of(made)))
        for tampered in (f"{marked[:-1]}x", f"{marked}&detour=x", marked.replace("detour=sign-in", "detour=consent")):
            effects = asking.effects(next=tampered)
            assert (effects.hashes, len(effects.sessions)) == (1, 1)

    def test_no_next_is_the_account(self, asking: Asking) -> None:
        for changed in ({"next": ""}, {"next": None}):
            assert asking.effects(**changed).location == "/account"

    def test_an_odd_request_is_left_to_it(self, asking: Asking) -> None:
        for odd in ODD:
            asking.effects(**odd)
