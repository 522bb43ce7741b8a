"""The table of test persons."""

from __future__ import annotations

from flask import Blueprint, render_template

from kernel.access import public
from sandbox.personas.rules import PASSWORD, PERSONAS

pages = Blueprint("sandbox_personas", __name__, url_prefix="/sandbox/personas", template_folder="templates")


@pages.get("/")
@public("invented people with known passwords")
def list_personas() -> str:
    return render_template("sandbox_personas/list.html", personas=PERSONAS, password=PASSWORD)
