"""For whom an official acts: the home of an agency, the choice of one, and the way back to one's own name."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from identity.acting import actions
from identity.officials.queries import FUNCTIONS, agencies_of, roles_of
from kernel.http.duties import only_behind_flask
from kernel.jobs.access import ACTING_FOR, Principal, Rule, current_principal, declared_rules, person, requires
from kernel.pages.layout import local_path
from kernel.recording.pending import count_pending

pages = Blueprint("acting", __name__, template_folder="templates")
Page = str | Response


@pages.before_app_request
@only_behind_flask("only officials' pages have an agency that is acted for")
def act_for_the_agency_concerned() -> Response | None:
    """Let an official who opens an official page act for the agency concerned: at once if there is one, else after
    choosing. It does so for those who act for no agency, or not for the one that the link names. Nobody is moved from
    one agency to another without being asked. Whose the thing on the page is, the page itself looks at.
    """
    rules = declared_rules(current_app.view_functions.get(request.endpoint or ""))
    if request.method != "GET" or not any(rule.is_of_officials for rule in rules):
        return None
    principal, named = current_principal(), request.args.get(ACTING_FOR, "")
    if principal.kind not in ("person", "official") or (principal.agency and named in ("", principal.agency.code)):
        return None
    codes = _where_it_would_be_allowed(principal, rules)
    if named in codes:
        codes = [named]
    elif principal.agency:
        return None
    if len(codes) == 1 and principal.agency is None:
        actions.choose_agency(codes[0])
        return redirect(_this_page(), 303)
    return redirect(url_for("acting.home", next=_this_page(), asked=named or None), 303) if codes else None


def _where_it_would_be_allowed(principal: Principal, rules: tuple[Rule, ...]) -> list[str]:
    """The codes of the agencies for which the person could act to fulfil the rules."""
    acting = (
        replace(
            principal,
            kind="official",
            agency=agency,
            roles=roles_of(held, is_authority=agency.is_authority),
        )
        for agency, held in agencies_of(principal.id)
    )
    return [one.acting_agency.code for one in acting if all(rule.allows(one) for rule in rules)]


def _this_page() -> str:
    """This very page, without the word about the agency."""
    came = parse_qsl(request.query_string.decode(), keep_blank_values=True)
    others = [(name, value) for name, value in came if name != ACTING_FOR]
    return request.path + (f"?{urlencode(others)}" if others else "")


@pages.get("/agency")
@requires(person)
def home() -> Page:
    """The home of an official; for who acts for none, the agencies to choose from."""
    principal = current_principal()
    agencies = agencies_of(principal.id)
    return render_template(
        "acting/home.html",
        agencies=agencies,
        acting=principal.agency,
        pending=count_pending(principal) if principal.agency else [],
        roles=principal.roles,
        functions=FUNCTIONS(),
        next=request.args.get("next", ""),
        agency_to_choose=next((agency for agency, _held in agencies if agency.code == request.args.get("asked")), None),
    )


@pages.post("/agency")
@requires(person)
def choose() -> Page:
    """Act for the agency in the form's `agency`."""
    agency = actions.choose_agency(request.form.get("agency", ""))
    flash(_("You are now acting for %(agency)s.", agency=agency.name), "success")
    wanted = request.form.get("next")
    return redirect(local_path(wanted) if wanted else url_for("acting.home"), 303)


@pages.post("/agency/leave")
@requires(person)
def leave() -> Page:
    """Act in one's own name again."""
    actions.act_for_oneself()
    flash(_("You are now acting on your own behalf."), "success")
    return redirect(url_for("acting.home"), 303)
