"""The layout around every page: navigation, who is acting for whom, language and appearance, static files, filters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import flask_bootstrap
from flask import Blueprint, Flask, Response, current_app, g, redirect, request, url_for
from flask_babel import format_date, format_datetime, format_decimal
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from stdnum.cl import rut
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Field, HiddenField

from kernel.base.clock import local
from kernel.base.errors import Text
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.http.csrf import OURS, SAYS_WHERE_FROM
from kernel.http.i18n import LANGUAGE_COOKIE, LANGUAGES, chosen_language
from kernel.http.security import csp_nonce
from kernel.jobs.access import ANONYMOUS, Principal, current_principal, known_principal, public

SCHEMES = ("auto", "light", "dark")
DEFAULT_SCHEME = SCHEMES[0]
SCHEME_COOKIE = "scheme"
ONE_YEAR = 365 * 24 * 3600
ICONS = Path(flask_bootstrap.__file__).parent / "static/bootstrap5/icons/bootstrap-icons.svg"

blueprint = Blueprint("layout", __name__)


def everyone(principal: Principal) -> bool:
    """Visible to whoever comes."""
    return True


@dataclass(frozen=True)
class Link:
    """An item of the navigation or of the footer, shown to those it concerns, in the order given."""

    label: Text
    endpoint: str
    visible_to: Callable[[Principal], bool] = everyone
    order: int = 100

    @property
    def href(self) -> str:
        return url_for(self.endpoint)

    @property
    def is_above(self) -> bool:
        """Whether the page shown is this link's or lies below it."""
        here = self.href.rstrip("/")
        return bool(here) and (request.path == here or request.path.startswith(f"{here}/"))

    @property
    def is_current(self) -> bool:
        """Whether this is the link nearest above the page shown, of those that the caller sees."""
        links = _visible(_registry().navigation, g.get("principal", ANONYMOUS))
        return self.is_above and not any(other.is_above and len(other.href) > len(self.href) for other in links)


@dataclass(frozen=True)
class Place:
    """A page that the header links to when a block provides it."""

    endpoint: str
    method: str = "get"
    count: Callable[[Principal], int] | None = None
    """The number of things that wait there for somebody."""

    @property
    def href(self) -> str:
        return url_for(self.endpoint)


@dataclass(frozen=True)
class Guest:
    """A kind of principal that is no person of ours: in words, and where it signs out."""

    label: Text
    sign_out: Place


@dataclass
class Registry:
    """Navigation and places that the blocks handed to the layout of one application."""

    navigation: list[Link] = field(default_factory=list)
    footer: list[Link] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    keep_language: list[Callable[[str], None]] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """The surroundings of the page being rendered, for `reader`; None asks who is there."""

    reader: Principal | None = None

    @property
    def principal(self) -> Principal:
        return self.reader or current_principal()

    @property
    def navigation(self) -> list[Link]:
        return _visible(_registry().navigation, self.principal)

    @property
    def footer(self) -> list[Link]:
        return _visible(_registry().footer, self.principal)

    @property
    def places(self) -> Mapping[str, Place]:
        return _registry().places

    def count_at(self, name: str) -> int:
        """The number of things that wait for the reader at a place.

        None on a problem's page, as the database may be the problem.
        """
        place, counts = self.places.get(name), g.setdefault("counts_at_places", {})
        if place is None or place.count is None or self.reader is not None:
            return 0
        if name not in counts:
            counts[name] = place.count(self.principal)
        return int(counts[name])

    @property
    def guest(self) -> Guest | None:
        """Return the kind of the caller, if no person of ours."""
        return _registry().guests.get(self.principal.kind)

    @property
    def here(self) -> str:
        """The address to come back to after switching language or appearance; the start for what was not a GET."""
        return g.get("here") or (request.full_path.rstrip("?") if request.method == "GET" else "/")


def frame_of_problem(status: int) -> Frame:
    """The surroundings of a problem's page. The database may be the problem, so on 5xx nobody is asked who is there."""
    if status >= 500:
        return Frame(known_principal())
    try:
        return Frame(current_principal())
    except SQLAlchemyError:
        return Frame(ANONYMOUS)


def add_navigation(
    app: Flask,
    label: Text,
    endpoint: str,
    visible_to: Callable[[Principal], bool] = everyone,
    order: int = 100,
) -> None:
    """Put a page in the header of every page, for those principals that `visible_to` accepts."""
    _registry(app).navigation.append(Link(label, endpoint, visible_to, order))


def add_footer_link(
    app: Flask,
    label: Text,
    endpoint: str,
    visible_to: Callable[[Principal], bool] = everyone,
    order: int = 100,
) -> None:
    """Put a page in the footer of every page."""
    _registry(app).footer.append(Link(label, endpoint, visible_to, order))


def set_place(
    app: Flask, name: str, endpoint: str, method: str = "get", *, count: Callable[[Principal], int] | None = None
) -> None:
    """Tell the header where `sign_in`, `sign_out`, `account`, `notices` or `choose_agency` is.

    With method `post` the link is a button in a form with the CSRF token. count: how much waits there for somebody.
    """
    _registry(app).places[name] = Place(endpoint, method, count)


def set_guest(app: Flask, kind: str, label: Text, sign_out_endpoint: str) -> None:
    """Tell the header what a kind of principal is that is no person of ours, and where it signs out."""
    _registry(app).guests[kind] = Guest(label, Place(sign_out_endpoint, "post"))


def when_language_is_chosen(app: Flask, keep: Callable[[str], None]) -> None:
    """Let a block keep the language that a reader has just chosen on one of our pages."""
    _registry(app).keep_language.append(keep)


REGISTRY: Slot[Registry] = Slot("layout")


def _registry(app: Flask | None = None) -> Registry:
    return REGISTRY.of(app or current_app)


def _visible(links: list[Link], principal: Principal) -> list[Link]:
    return sorted((link for link in links if link.visible_to(principal)), key=lambda link: link.order)


# ---- switches ----


def local_path(candidate: str | None) -> str:
    """The candidate if it is a path of this site, `/` otherwise.

    Browsers read `//host`, `/\\host` and a tab inside as another host, so anything but one plain slash is refused.
    """
    if candidate and re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f]*", candidate):
        return candidate
    return "/"


def next_path() -> str:
    """Return the path of this site to go on to, as the form or the address names it (`next`); empty if it names
    none.
    """
    path = request.form.get("next") or request.args.get("next")
    return local_path(path) if path else ""


def remember_language(response: BaseResponse, code: str) -> None:
    """Let this browser's pages be in the language from now on."""
    _set_cookie(response, LANGUAGE_COOKIE, code)


def _remember(cookie: str, value: str) -> BaseResponse:
    response = redirect(local_path(request.args.get("next")), 303)
    _set_cookie(response, cookie, value)
    return response


def _set_cookie(response: BaseResponse, cookie: str, value: str) -> None:
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(cookie, value, max_age=ONE_YEAR, secure=secure, httponly=True, samesite="Lax")


@blueprint.get("/language/<code>")
@public("anyone chooses a language")
def choose_language(code: str) -> BaseResponse:
    """Remember the language in a cookie and go back to `next`; blocks may keep it for who is signed in."""
    if code not in LANGUAGES:
        raise NotFound
    if request.environ.get(SAYS_WHERE_FROM, OURS[0]) in OURS:
        for keep in _registry().keep_language:
            keep(code)
    return _remember(LANGUAGE_COOKIE, code)


@blueprint.get("/scheme/<code>")
@public("anyone chooses light or dark")
def choose_scheme(code: str) -> BaseResponse:
    """Remember light, dark or the system's own in a cookie and go back to `next`."""
    if code not in SCHEMES:
        raise NotFound
    return _remember(SCHEME_COOKIE, code)


# ---- static files ----


@lru_cache(maxsize=256)
def _fingerprint(path: Path, changed_at: float) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset_url(blueprint_name: str, filename: str) -> str:
    """The address of a blueprint's static file with the hash of its content, so that browsers keep it for a year."""
    folder = current_app.blueprints[blueprint_name].static_folder
    path = Path(str(folder)) / filename
    version = _fingerprint(path, path.stat().st_mtime)
    return url_for(f"{blueprint_name}.static", filename=filename, v=version)


def open_static_files(app: Flask, *blueprint_names: str) -> None:
    """Declare the static files of these blueprints public; Flask registers them as views without a declaration."""
    for name in blueprint_names:
        endpoint = f"{name}.static"
        app.view_functions[endpoint] = _declared(app.view_functions[endpoint])


def _declared(view: Callable[..., Any]) -> Callable[..., Any]:
    @public("static files")
    def serve(**arguments: Any) -> Response:
        response: Response = view(**arguments)
        # `asset_url` names another version for another content.
        if "v" in request.args and response.status_code == 200:
            response.cache_control.clear()
            response.cache_control.public = True
            response.cache_control.max_age = ONE_YEAR
            response.cache_control.immutable = True
        return response

    return serve


# ---- in templates ----


@lru_cache(maxsize=1)
def _icons() -> dict[str, Markup]:
    symbols = re.findall(r'<symbol[^>]*id="([^"]+)"[^>]*>(.*?)</symbol>', ICONS.read_text(encoding="utf-8"), re.S)
    return {name: Markup(paths.strip()) for name, paths in symbols}  # noqa: S704  # our own dependency's file


def icon_paths(name: str) -> Markup:
    """The drawing of a Bootstrap icon, to go inside an `<svg>`. Raises KeyError for an unknown name."""
    return _icons()[name]


def page_url(cursor: str | None) -> str:
    """This page's address at another cursor, with the rest of its query kept."""
    query: dict[str, Any] = {name: values for name, values in request.args.lists() if name != "cursor"}
    if cursor:
        query["cursor"] = cursor
    return url_for(str(request.endpoint), **(request.view_args or {}), **query)


def is_reachable(path: str) -> bool:
    """Whether this installation serves a page at `path`; an operator may deploy some blocks only."""
    try:
        current_app.url_map.bind("").match(path, method="GET")
    except HTTPException as error:
        return (error.code or 0) < 400
    return True


def is_hidden_field(form_field: Field) -> bool:
    return isinstance(form_field, HiddenField)


def format_local_time(instant: datetime, exact: bool = False) -> str:
    """A UTC instant on Santiago's clocks, in the reader's language; exact gives the seconds too."""
    pattern = "d MMM y, HH:mm:ss" if exact else "d MMM y, HH:mm"
    return str(format_datetime(local(instant).replace(tzinfo=None), pattern, rebase=False))


def format_day(day: date) -> str:
    """A day in the reader's language; of a UTC instant the day on Santiago's calendar."""
    return str(format_date(local(day).date() if isinstance(day, datetime) else day, "d MMM y"))


def format_run(run: str) -> str:
    """A person's number as people write it: 12.345.678-5."""
    return str(rut.format(str(run)))


def format_file_size(size: int) -> str:
    """Bytes in the largest unit that keeps the number above one (decimal units, as systems show them)."""
    amount, units = float(size), ["bytes", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{format_decimal(round(amount, 1))} {units[0]}"


def note_mistake() -> None:
    """Let the title of this page say that what was sent has a mistake, for those who hear it read aloud."""
    g.shows_mistake = True


def chosen_scheme() -> str:
    """The appearance that the reader chose."""
    chosen = request.cookies.get(SCHEME_COOKIE, DEFAULT_SCHEME)
    return chosen if chosen in SCHEMES else DEFAULT_SCHEME


def install_layout(app: Flask, settings: Settings) -> None:
    """Give every template the layout, its macros, filters and static files. Call before any `add_navigation`."""
    REGISTRY.fill(app, Registry())
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.config.setdefault("SESSION_COOKIE_SECURE", settings.is_secure)
    flask_bootstrap.Bootstrap5(app)
    assets = Blueprint(
        "kernel", __name__, static_folder="static", static_url_path="/static/kernel", template_folder="templates"
    )
    app.register_blueprint(assets)
    app.register_blueprint(blueprint)
    open_static_files(app, "kernel", "bootstrap")
    for each in (
        asset_url,
        icon_paths,
        page_url,
        is_reachable,
        is_hidden_field,
        note_mistake,
        current_principal,
        csp_nonce,
    ):
        app.jinja_env.globals[each.__name__] = each
    app.jinja_env.globals.update(settings=settings, languages=LANGUAGES, schemes=SCHEMES, frame=Frame())
    app.jinja_env.globals.update(
        frame_of_problem=frame_of_problem, chosen_language=chosen_language, scheme=chosen_scheme
    )
    app.jinja_env.filters.update(localtime=format_local_time, run=format_run, filesize=format_file_size)
    app.jinja_env.filters.update(number=format_decimal, day=format_day)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
