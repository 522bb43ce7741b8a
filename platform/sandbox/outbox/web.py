"""The outbox: mail that this installation would have sent, to be read where nothing is real."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, render_template

from kernel.base.errors import NotFound
from kernel.base.installation import settings
from kernel.jobs.access import public
from sandbox.outbox import queries

pages = Blueprint("outbox", __name__, url_prefix="/outbox", template_folder="templates")


@pages.before_request
def only_where_nothing_is_real() -> None:
    """In production a letter is its addressee's alone, and this place does not exist."""
    if settings().is_production:
        raise NotFound()


@pages.get("/")
@public("in development nothing is real")
def list_letters() -> str:
    return render_template("outbox/list.html", letters=queries.latest_letters())


@pages.get("/<uuid:letter_id>")
@public("in development nothing is real")
def show_letter(letter_id: UUID) -> str:
    return render_template("outbox/letter.html", letter=queries.get_letter(letter_id))
