"""The authority imports a state's tree from a file, after a look at what it would change, and takes it away as one."""

from __future__ import annotations

import base64
import binascii
import zlib

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from werkzeug.wrappers import Response as BaseResponse
from wtforms import DateField, HiddenField
from wtforms.validators import Optional

from identity.agencies.rules import KINDS
from identity.agency_imports import actions
from identity.agency_imports.queries import plan, tree_as_csv
from identity.agency_imports.rules import COLUMNS, MAX_BYTES, FileFault, FileRefused, Step, read_rows
from kernel.base import clock
from kernel.base.errors import Conflict, Invalid
from kernel.jobs.access import authority, official, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

pages = Blueprint("agency_imports", __name__, template_folder="templates")
Page = str | BaseResponse | tuple[str, int]
MOST_SHOWN = 200


class ImportForm(Form):
    file = FileField(_("CSV file"), description=_("At most 5,000 lines, as a spreadsheet saves them."))
    counts_from = DateField(
        _("Counts from"), validators=[Optional()], description=_("The day from which changes count. Empty: today.")
    )
    content = HiddenField()

    def __init__(self) -> None:
        super().__init__()
        # Of a file that was shown before, the content comes back instead.
        self.file.flags.required = True


@pages.get("/authority/agencies/import")
@requires(authority)
def choose_file() -> Page:
    return _show(ImportForm())


@pages.post("/authority/agencies/import")
@requires(authority)
@once()
def import_file() -> Page:
    """Show what the file would change; change it where that was shown before."""
    form = ImportForm()
    counts_from = form.counts_from.data or clock.today()
    try:
        if not form.validate_on_submit():
            return _show(form), 422
        if "apply" not in request.form:
            content = _uploaded(form)
            steps = plan(read_rows(content), counts_from)
            form.content.data = base64.b64encode(zlib.compress(content)).decode()
            return _show(form, steps)
        rows = read_rows(_shown_before(form.content.data or ""))
        done = submit_once(lambda: actions.import_tree(rows, counts_from), _leads_to)
    except (Invalid, Conflict) as problem:
        explain(form, problem)
        form.content.data = ""
        return _show(form), problem.status
    flash(_("%(count)s agencies were registered or changed.", count=len(done)), "success")
    return redirect(_leads_to(done), 303)


def _leads_to(_done: list[Step]) -> str:
    return url_for("agencies.list_agencies")


def _uploaded(form: ImportForm) -> bytes:
    if not form.file.data:
        raise FileRefused([FileFault(1, "", _("Choose a file."))])
    content: bytes = form.file.data.read(MAX_BYTES + 1)
    return content


def _shown_before(content: str) -> bytes:
    """The file that the page before had read, as the form brings it back."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(content, validate=True), MAX_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise FileRefused([FileFault(1, "", _("Choose the file again."))]) from error


def _show(form: ImportForm, steps: list[Step] | None = None) -> str:
    return render_template(
        "agency_imports/import.html", form=form, steps=steps, first_steps=(steps or [])[:MOST_SHOWN], columns=COLUMNS,
        kinds=KINDS,
    )  # fmt: skip


@pages.get("/agencies.csv")
@requires(official)
def export() -> Response:
    """The tree of today as a file that can be imported again."""
    headers = {"Content-Disposition": f'attachment; filename="organismos-{clock.today().isoformat()}.csv"'}
    return Response(tree_as_csv(clock.today()), mimetype="text/csv", headers=headers)
