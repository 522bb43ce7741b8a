"""The authority's pages: what waits for a decision, who did what, and the jobs behind the scenes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from kernel import composition
from kernel.base.clock import SANTIAGO
from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.jobs.access import authority, current_principal, requires
from kernel.pages.layout import is_reachable
from kernel.recording import audit, audit_chain, job_admin, pending
from kernel.recording.sealing import unsealed
from portal.audit_sentences import sentence_of

pages = Blueprint("authority", __name__, url_prefix="/authority", template_folder="templates")


def install_authority(app: Flask) -> None:
    """The authority's pages."""
    app.register_blueprint(pages)
    app.jinja_env.globals["authority_tabs"] = tabs


def tabs() -> list[tuple[str, str, bool]]:
    """The authority's places, those that are deployed here."""
    places = [
        (_("Waiting"), "/authority"),
        (_("Who did what"), "/authority/audit"),
        (_("Agencies"), "/authority/agencies"),
        (_("Services"), "/authority/services"),
        (_("Applications"), "/authority/applications/all"),
        (_("Calls on behalf of people"), "/authority/exchanges"),
        (_("Jobs"), "/authority/jobs"),
    ]
    here = request.path.rstrip("/")
    return [
        (label, path, here == path or (path != "/authority" and here.startswith(f"{path}/")))
        for label, path in places
        if is_reachable(path)
    ]


@pages.get("/")
@requires(authority)
def pending_decisions() -> str:
    return render_template(
        "portal/authority/waiting.html",
        page=pending.pending_decisions(current_principal(), for_authority=True, cursor=request.args.get("cursor")),
        failed_jobs=job_admin.count_failed(session()),
        seals=unsealed(session()),
    )


@pages.get("/audit")
@requires(authority)
def search_audit() -> tuple[str, int]:
    """List the audit's events, the newest first. A filter that cannot be understood is told, and nothing is
    searched.
    """
    fields = {name: _asked(name) for name in ("tag", "agency", "actor", "subject", "since", "until")}
    faults: dict[str, str] = {}
    page = None
    try:
        filters = audit.EventFilter(
            tag=fields["tag"],
            agency=fields["agency"],
            actor=fields["actor"],
            subject=fields["subject"],
            since=_start_of(fields["since"], "since"),
            until=_end_of(fields["until"], "until"),
        )
        page = audit.search_events(session(), filters, cursor=request.args.get("cursor"))
    except Invalid as problem:
        faults = {name: str(messages[0]) for name, messages in problem.fields.items()}
    answer = render_template(
        "portal/authority/audit.html",
        page=page,
        fields=fields,
        faults=faults,
        chain=audit_chain.seal_state(session()),
        **_words_of(page.items if page else ()),
    )
    return answer, 422 if faults else 200


@pages.get("/audit/<uuid:event_id>")
@requires(authority)
def show_event(event_id: UUID) -> str:
    event = audit.get_event(session(), event_id)
    seal = audit_chain.seal_of(session(), event)
    return render_template("portal/authority/event.html", event=event, seal=seal, **_words_of([event]))


def _words_of(events: Sequence[audit.AuditEvent]) -> dict[str, Any]:
    """Values with which the templates tell events to people: sentences, kinds of actors, and names for identifiers."""
    subjects = {event.subject for event in events} | {f"agency:{event.agency}" for event in events if event.agency}
    return {"sentence_of": sentence_of, "actor_kinds": _actor_kinds(), "names": composition.audit_names(subjects)}


@pages.get("/jobs")
@requires(authority)
def list_jobs() -> str:
    jobs = job_admin.unfinished(session(), request.args.get("cursor"))
    return render_template(
        "portal/authority/jobs.html",
        page=jobs,
        failed=job_admin.count_failed(session()),
        states=_job_states(),
        seals=unsealed(session()),
    )


@pages.post("/jobs/<int(max=9223372036854775807):job_id>/replay")
@requires(authority)
def replay_job(job_id: int) -> Response:
    job_admin.replay(job_id)
    return redirect(url_for("authority.list_jobs"), 303)


def _actor_kinds() -> dict[str, str]:
    """The kinds of principal in words."""
    return {
        "anonymous": _("Someone unidentified"),
        "person": _("A person on their own behalf"),
        "official": _("An official"),
        "developer": _("A developer"),
        "machine": _("An agency's system"),
        "system": _("The system"),
        "operator": _("An operator"),
    }


def _job_states() -> dict[str, tuple[str, str]]:
    """A state of the queue in words, and the look of it."""
    return {
        "failed": (_("Failed"), "problem"),
        "todo": (_("Waiting"), "waiting"),
        "doing": (_("Running"), "neutral"),
        "aborted": (_("Aborted"), "attention"),
    }


def _asked(name: str) -> str:
    # PostgreSQL keeps no null byte in a text, so none of its texts has one.
    return request.args.get(name, "").replace("\x00", "").strip()[:200]


def _start_of(text: str, field: str) -> datetime | None:
    day = _day(text, field)
    return datetime.combine(day, time(), SANTIAGO) if day else None


def _end_of(text: str, field: str) -> datetime | None:
    day = _day(text, field)
    return datetime.combine(day + timedelta(days=1), time(), SANTIAGO) if day else None


def _day(text: str, field: str) -> date | None:
    """A day as a date input sends it. Raises Invalid."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(fields={field: [_("Write the day as 2026-01-31.")]}) from error
    if not 2000 <= day.year <= 2200:
        raise Invalid(fields={field: [_("Choose a day between the years 2000 and 2200.")]})
    return day
