"""The pages to sign in, with a password and where it is wanted a code, and to sign out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from identity.authentication.login_throttling.rules import WaitBeforeTrying
from identity.authentication.one_time_codes.actions import sign_in_with_code, step_up
from identity.authentication.one_time_codes.queries import published_code
from identity.authentication.passwords.rules import WrongCredentials
from identity.authentication.sessions.actions import StartedSession
from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.sessions.rules import ACR_TWO_FACTORS, COOKIE, describe_device
from identity.authentication.sessions.web import set_cookie
from identity.authentication.signin import actions
from identity.authentication.signin.rules import SECOND_FACTOR_WAIT, SignInPurpose
from identity.officials.queries import is_official
from identity.people.actions import note_language
from identity.people.queries import get_person, known_person
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.base.installation import settings
from kernel.base.slots import Slot
from kernel.database.prepared import together
from kernel.http.csrf import renew_form_key
from kernel.http.i18n import chosen_language
from kernel.jobs.access import public
from kernel.pages.forms import Form, explain
from kernel.pages.layout import next_path

if TYPE_CHECKING:
    from identity.people.rules import KnownPerson

TEST_PERSONS = ("44.444.444-4", "55.555.555-5", "88.888.888-8", "99.999.999-9")
TEST_PASSWORD = "testing"

AWAITING_CODE = "halfway"
"""The key in the forms' signed cookie for who wrote their password, and when."""

pages = Blueprint("signin", __name__, template_folder="templates")
Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@dataclass(frozen=True)
class Way:
    """The kind of a local path to which a sign-in goes on.

    asking: who asks for it; called while the form is rendered, so that it may also allow the form to lead to the
    application's address. enter: the answer to whoever asked, where nothing more has to be asked of the person.
    """

    asking: Callable[[str], SignInPurpose | None]
    enter: Callable[[str], Response | None]


WAY: Slot[Way | None] = Slot("sign_in_way", lambda: None)


def _way() -> Way | None:
    return WAY()


class SignInForm(Form):
    run = StringField(_("RUN"), validators=[InputRequired(_("Enter your RUN."))])
    password = PasswordField(_("Password"), validators=[InputRequired(_("Enter your password."))])
    next = HiddenField()


class CodeForm(Form):
    code = StringField(_("Code"), validators=[InputRequired(_("Enter the code."))])
    next = HiddenField()


@pages.get("/sign-in")
@public("how people come in")
def sign_in() -> Page:
    """Ask for RUN and password; whoever is signed in goes on at once, unless the address says `again=1`."""
    if current_sign_in() is not None and request.args.get("again") != "1":
        return redirect(_destination(), 303)
    return ask_to_sign_in(next_path(), _asking())


@pages.post("/sign-in")
@public("how people come in")
@together()
def authenticate() -> Page:
    """Begin a session and go on to `next`, or show the form again with what is wrong."""
    run, password = request.form.get("run"), request.form.get("password")
    if not run or not password:
        form = SignInForm()
        form.validate()
        return _ask_again(form), 422
    try:
        started = actions.sign_in_with_password(
            run,
            password,
            request.remote_addr or "",
            describe_device(request.user_agent.string),
            replaces=request.cookies.get(COOKIE, ""),
        )
    except (Invalid, WrongCredentials, WaitBeforeTrying) as problem:
        form = SignInForm()
        explain(form, problem)
        return _ask_again(form), problem.status, problem.headers
    if isinstance(started, actions.SecondFactorRequired):
        session[AWAITING_CODE] = [str(started.person.id), clock.now().timestamp()]
        return redirect(url_for("signin.ask_for_code", next=next_path() or None), 303)
    return _enter(started)


@pages.get("/sign-in/code")
@public("how people come in")
def ask_for_code() -> Page:
    """Ask for the second factor of whoever has just written their password, or is signed in with it alone."""
    person = _person_without_code()
    if person is None:
        return _without_need_of_code()
    return _ask_code(person, CodeForm(next=next_path()))


@pages.post("/sign-in/code")
@public("how people come in")
def authenticate_with_code() -> Page:
    """Begin the session, or let the one there is count for more, and go on to `next`."""
    person, form, address = _person_without_code(), CodeForm(), request.remote_addr or ""
    if person is None:
        return _without_need_of_code()
    if not form.validate_on_submit():
        return _ask_code(person, form), 422
    try:
        if _person_awaiting_code_id() is None:
            started = step_up(form.code.data, address)
        else:
            device = describe_device(request.user_agent.string)
            started = sign_in_with_code(person.id, form.code.data, address, device, request.cookies.get(COOKIE, ""))
    except (Invalid, WaitBeforeTrying) as problem:
        explain(form, problem)
        return _ask_code(person, form), problem.status, problem.headers
    return _enter(started)


def _enter(started: StartedSession) -> Response:
    note_language(started.person, chosen_language())
    renew_form_key()
    session.pop(AWAITING_CODE, None)
    way, following = _way(), next_path()
    entered = way.enter(following) if way and following else None
    response = entered or redirect(_destination(str(started.person.id)), 303)
    set_cookie(response, started.token)
    return response


def _person_awaiting_code_id() -> str | None:
    """The identifier of the person who wrote their password in this browser a moment ago, and not their code yet."""
    person_id, at = session.get(AWAITING_CODE, ("", 0.0))
    return person_id if person_id and clock.now().timestamp() - at <= SECOND_FACTOR_WAIT.total_seconds() else None


def _person_without_code() -> KnownPerson | None:
    """Return the person who may be asked for a code now."""
    if (halfway := _person_awaiting_code_id()) is not None:
        return known_person(get_person(halfway))
    sign_in = current_sign_in()
    has_to = sign_in is not None and sign_in.person.second_factor is not None and sign_in.acr != ACR_TWO_FACTORS
    return sign_in.person if sign_in and has_to else None


def _without_need_of_code() -> Response:
    if current_sign_in() is None:
        return redirect(url_for("signin.sign_in", next=next_path() or None), 303)
    return redirect(_destination(), 303)


def _ask_code(person: KnownPerson, form: CodeForm) -> str:
    asking = _asking()
    return render_template(
        "signin/code.html",
        form=form,
        application=asking.application if asking else None,
        name=person.name,
        somebody_else=url_for("signin.sign_in", again=1, next=next_path() or None),
        published_code=None if settings().is_production else published_code(person),
    )


def _asking() -> SignInPurpose | None:
    way, following = _way(), next_path()
    return way.asking(following) if way and following else None


def ask_to_sign_in(following: str, asking: SignInPurpose | None) -> str:
    """The page that asks for RUN and password, to go on to a path of this site."""
    if asking and asking.run:
        return _page(SignInForm(next=following, run=asking.run), asking.application)
    return _page(SignInForm(None, next=following), **_purpose(asking))


def _ask_again(form: SignInForm) -> str:
    return _page(form, **_purpose(_asking()))


def _purpose(asking: SignInPurpose | None) -> dict[str, str]:
    """Values that tell on the page why somebody signs in: the application's name, or that there is a device to
    connect.
    """
    if asking is None:
        return {"application": "", "device": ""}
    return {"application": asking.application, "device": "yes" if asking.is_for_device else ""}


def _page(form: SignInForm, application: str, device: str = "") -> str:
    return render_template(
        "signin/sign_in.html",
        form=form,
        application=application,
        device=device,
        test_persons=() if settings().is_production else TEST_PERSONS,
        test_password=TEST_PASSWORD,
    )


def _destination(person_id: str | None = None) -> str:
    sign_in = current_sign_in()
    person_id = person_id or (str(sign_in.person.id) if sign_in else "")
    return next_path() or url_for("acting.home" if is_official(person_id) else "account.home")
