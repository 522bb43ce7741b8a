"""The table of test persons."""

from __future__ import annotations

from flask import Blueprint, render_template

from identity.authentication.one_time_codes.queries import published_code
from identity.authentication.sessions.rules import ACR_TWO_FACTORS
from identity.people.queries import find_by_run, known_person
from kernel.jobs.access import public
from sandbox.personas.rules import PASSWORD, PERSONAS, PUBLISHED_SECRET, WITH_SECOND_FACTOR

pages = Blueprint("sandbox_personas", __name__, url_prefix="/sandbox/personas", template_folder="templates")


@pages.get("/")
@public("invented people with known passwords")
def list_personas() -> str:
    person = find_by_run(WITH_SECOND_FACTOR.run)
    return render_template(
        "sandbox_personas/list.html",
        personas=PERSONAS,
        password=PASSWORD,
        with_second_factor=WITH_SECOND_FACTOR,
        secret=PUBLISHED_SECRET,
        code=published_code(known_person(person)) if person else None,
        level=ACR_TWO_FACTORS,
    )
