"""Pages in which an agency's correspondents send, read and answer official communications."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, MultipleFileField
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from interoperability.communications import actions, queries, rules
from interoperability.communications.queries import PartyView
from interoperability.communications.schemas import MEDIA_TYPE, is_reviewed, seal_review
from interoperability.ports import ports
from interoperability.uploads.actions import Upload, keep_uploads
from interoperability.uploads.rules import PDF, Files, NotAPdf
from interoperability.uploads.schemas import open_files, seal_files
from interoperability.uploads.settings import UploadSettings
from kernel.base import clock
from kernel.base.errors import Invalid, TooLarge
from kernel.base.installation import settings
from kernel.http.application import MAX_FORM_BYTES, AnyRequest
from kernel.jobs.access import Principal, current_principal, requires, role
from kernel.pages.forms import Form, explain, some_lines
from kernel.pages.submissions import once

pages = Blueprint("communications", __name__, url_prefix="/agency/communications", template_folder="templates")
Page = str | AnyResponse | tuple[str, int]
CORRESPONDENT = "correspondent"
READ_BYTES = 256 * 1024
READ_TIMES = 4
"""A form with files up to so many times what they may have is read to its end, to be told in the form."""
Refusal = Invalid | NotAPdf | TooLarge

STATUSES = {
    "available": (_("Not downloaded"), "waiting"),
    "downloaded": (_("Downloaded"), "neutral"),
    "acknowledged": (_("Acknowledged"), "ok"),
    "rejected": (_("Rejected"), "problem"),
}
WAITS = _("Waiting for you")
# The manifest's fields by the names they have in the form.
FORM_FIELDS = {
    "metadata.addressees.0.persons.0.name": "person",
    "metadata.addressees.0.persons.0.post": "post",
    "metadata.addressees": "addressee",
    "metadata.sender.authority.name": "authority_name",
    "metadata.sender.authority.post": "authority_post",
    "metadata.reference": "reference",
    "metadata.content": "summary",
    "documents.0": "document",
    "documents.": "annexes",
    "documents": "document",
}


def is_correspondent(principal: Principal) -> bool:
    """Whether the principal reads and writes for an agency."""
    return principal.kind == "official" and CORRESPONDENT in principal.roles


@pages.url_value_preprocessor
def keep_form(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Files that are far too large are told beside their field; the form is read before the view, for its token."""
    if endpoint == "communications.send":
        limits = settings().of(UploadSettings)
        main, annexes = limits.max_document_bytes, limits.max_annexes_bytes
        cast(AnyRequest, request).keep_form(max(main, annexes), READ_TIMES * (main + annexes) + MAX_FORM_BYTES)


class NewForm(Form):
    addressee = SelectField(_("To"), validators=[InputRequired(_("Choose the agency it is for."))])
    person = StringField(_("Person it is for"), validators=[Optional(), Length(max=200)])
    post = StringField(_("Their position"), validators=[Optional(), Length(max=200)])
    copies = SelectMultipleField(
        _("Copies to"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,  # which agencies there are is for the manifest's check to say
    )
    authority_name = StringField(
        _("Authority that sends it"),
        validators=[InputRequired(_("Write the name of the person who signs for your agency."))],
    )
    authority_post = StringField(_("Their position"), validators=[InputRequired(_("Write their position."))])
    type = SelectField(_("Type"), choices=list(rules.TYPES.items()))
    classification = SelectField(_("Classification"), choices=list(rules.CLASSIFICATIONS.items()))
    reference = StringField(_("Reference"), validators=[InputRequired(_("Write what it is about."))])
    summary = TextAreaField(_("Summary"), validators=[Optional(), Length(max=4000)])
    document = FileField(_("Main document"))
    annexes = MultipleFileField(_("Annexes"))
    stored_files = HiddenField()
    """The files that the page before has sent, sealed."""
    reviewed = HiddenField()
    """The draft that the page of the review has shown, sealed; nothing else is sent."""

    def validate_person(self, field: StringField) -> None:
        """DS 4 art. 36 names persons with their posts; an agency may be addressed as a whole."""
        if _line(field) and not _line(self.post):
            raise ValidationError(str(_("Write this person's position as well.")))


class RejectionForm(Form):
    reason = TextAreaField(
        _("Reason"),
        validators=[
            InputRequired(_("Write the reason.")),
            Length(3, 2000, _("From 3 to 2,000 characters.")),
            some_lines,
        ],
    )


# ---- boxes ----


@pages.get("")
@requires(role(CORRESPONDENT))
def mailbox() -> Page:
    """The inbox, or with `box=outbox` what was sent."""
    name = "outbox" if request.args.get("box") == "outbox" else "inbox"
    status = request.args.get("status")
    agency = current_principal().acting_agency
    page = queries.mailbox(agency.code, name, status if status in STATUSES else None, request.args.get("cursor"))
    return render_template(
        "communications/box.html", page=page, box=name, agency=agency, statuses=STATUSES, waits=WAITS
    )


# ---- sending ----


@pages.get("/new")
@requires(role(CORRESPONDENT))
def new() -> Page:
    principal = current_principal()
    return _show_new(_new_form(principal), principal, Files())


@pages.post("/new")
@requires(role(CORRESPONDENT))
@once()
def send() -> Page:
    """Show what is about to be signed, go back to change it (`step=change`), or sign and send what was shown
    (`step=send`). Anything else than what was shown is shown first.
    """
    principal, step = current_principal(), request.form.get("step")
    form = _new_form(principal)
    files, problems = _files(form, principal)
    form.stored_files.data, reviewed = seal_files(files, principal), form.reviewed.data or ""
    form.reviewed.data = ""
    if step == "change":
        return _show_new(form, principal, files)
    is_valid = form.validate_on_submit()
    if not files.main and not problems:
        form.document.errors = [_("Choose the main document.")]
    if is_valid and files.main and not problems:
        try:
            draft = actions.checked_draft(principal, _draft(form, principal), files)
            if step != "send" or not is_reviewed(reviewed, draft, principal):
                form.reviewed.data = seal_review(draft, principal)
                return _show_review(form, principal, files)
            communication = actions.send_from_page(principal, draft, files)
        except (Invalid, TooLarge) as problem:
            problems.append(problem)
        else:
            flash(_("%(code)s was sent.", code=communication.code), "success")
            return redirect(actions.page_of(communication.code), 303)
    for refusal in problems:
        _explain(form, refusal)
    return _show_new(form, principal, files), 422


def _files(form: NewForm, principal: Principal) -> tuple[Files, list[Refusal]]:
    """The files kept from the page before, with those chosen now in their place; and what is wrong with these."""
    files, problems = open_files(form.stored_files.data or "", principal), list[Refusal]()
    if queries.known_keys([one.key for one in files.all]):
        files = Files()  # they have been sent, and whoever went back from there chooses anew
    for uploads, part in ((_main(form), "main"), (_annexes(form), "annex")):
        try:
            files = files.with_newer(keep_uploads(uploads, part))
        except (Invalid, NotAPdf, TooLarge) as problem:
            problems.append(problem)
    return files, problems


def _show_review(form: NewForm, principal: Principal, files: Files) -> str:
    names = dict(form.addressee.choices or ())
    return render_template(
        "communications/review.html",
        form=form,
        files=files,
        agency=principal.acting_agency,
        to=names[form.addressee.data],
        person=", ".join(filter(None, (_line(form.person), _line(form.post)))),
        copies=[names[code] for code in form.copies.data],
        types=rules.TYPES,
        classifications=rules.CLASSIFICATIONS,
    )


def _new_form(principal: Principal) -> NewForm:
    form = NewForm()
    others = [one for one in ports().agencies.all() if one.code != principal.acting_agency.code]
    agencies = [(one.code, f"{one.name} ({one.code})") for one in others]
    form.addressee.choices = [("", _("Choose")), *agencies]
    form.copies.choices = agencies
    # Codes that a program typed, several in one value perhaps.
    typed = " ".join(form.copies.data or ()).upper()
    form.copies.data = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", typed))))
    return form


def _show_new(form: NewForm, principal: Principal, files: Files) -> str:
    form.document.flags.required = files.main is None
    return render_template(
        "communications/new.html",
        form=form,
        agency=principal.acting_agency,
        files=files,
        limits=settings().of(UploadSettings),
    )


def _draft(form: NewForm, principal: Principal) -> rules.Manifest:
    persons = (rules.Person(_line(form.person), _line(form.post)),) if _line(form.person) else ()
    return rules.Manifest(
        issued_at=clock.now(),
        agency=principal.acting_agency.code,
        authority=rules.Person(_line(form.authority_name), _line(form.authority_post)),
        addressees=(
            rules.Addressee(form.addressee.data, False, persons),
            *(rules.Addressee(code, True, ()) for code in form.copies.data),
        ),
        reference=_line(form.reference),
        content=(form.summary.data or "").replace("\r\n", "\n").strip(),
        type=form.type.data,
        classification=form.classification.data,
        documents=(),
    )


def _line(field: StringField) -> str:
    return " ".join((field.data or "").split())


def _main(form: NewForm) -> Iterator[Upload]:
    if isinstance(form.document.data, FileStorage) and form.document.data.filename:
        yield Upload(_name(form.document.data), PDF, _chunks(form.document.data))


def _annexes(form: NewForm) -> Iterator[Upload]:
    for annex in form.annexes.data or []:
        if isinstance(annex, FileStorage) and annex.filename:
            media_type = annex.mimetype if MEDIA_TYPE.fullmatch(annex.mimetype or "") else "application/octet-stream"
            yield Upload(_name(annex), str(media_type), _chunks(annex))


def _name(file: FileStorage) -> str:
    """The file's own name: some browsers send its whole path. Of one that is too long the end, which says its kind."""
    name = re.split(r"[/\\]", file.filename or "")[-1][-200:]
    return name.encode()[-rules.LONGEST_NAME :].decode(errors="ignore")


def _chunks(file: FileStorage) -> Iterator[bytes]:
    return iter(lambda: file.stream.read(READ_BYTES), b"")


def _explain(form: NewForm, problem: Refusal) -> None:
    fields: dict[str, list[Any]] = {}
    for name, messages in problem.fields.items():
        known = next((ours for theirs, ours in FORM_FIELDS.items() if name.startswith(theirs)), name)
        fields.setdefault(known, []).extend(messages)
    explain(form, Invalid(problem.detail or problem.title, fields=fields))


# ---- reading and answering ----


@pages.get("/<code>")
@requires(role(CORRESPONDENT))
def show(code: str) -> Page:
    return _show(queries.find(current_principal(), code), RejectionForm())


def _show(view: PartyView, form: RejectionForm) -> str:
    return render_template(
        "communications/show.html",
        view=view,
        communication=view.communication,
        form=form,
        statuses=STATUSES,
        types=rules.TYPES,
        classifications=rules.CLASSIFICATIONS,
        steps=_timeline(view),
    )


@pages.get("/<code>/documents/<int:number>")
@requires(role(CORRESPONDENT))
def document(code: str, number: int) -> Response:
    """A document; an addressee's complete download is recorded as a step."""
    return actions.send_to_party(current_principal(), code, number, is_for_person=True)


@pages.post("/<code>/acknowledgement")
@requires(role(CORRESPONDENT))
def acknowledge(code: str) -> Page:
    actions.acknowledge(current_principal(), code)
    flash(_("You acknowledged receipt. The sender has been told."), "success")
    return redirect(url_for("communications.show", code=code), 303)


@pages.post("/<code>/rejection")
@requires(role(CORRESPONDENT))
def reject(code: str) -> Page:
    form = RejectionForm()
    if not form.validate_on_submit():
        return _show(queries.find(current_principal(), code), form), 422
    actions.reject(current_principal(), code, form.reason.data.replace("\r\n", "\n").strip())
    flash(_("You rejected it. The sender has been told why."), "success")
    return redirect(url_for("communications.show", code=code), 303)


def _timeline(view: PartyView) -> list[dict[str, Any]]:
    """The steps in words, and what is still to come."""
    names = {one.agency: one.agency_name for one in view.communication.addressees}
    steps = [
        {
            "label": _label(step.step, names.get(step.addressee or "", ""), step.document),
            "state": "problem" if step.step == rules.Step.REJECTED else "done",
            "at": step.at,
            "text": step.reason or (None if step.step == rules.Step.AVAILABLE else step.by),
        }
        for step in view.steps
    ]
    waiting = [one for one in view.communication.addressees if not one.is_copy and one.status not in rules.ANSWERS]
    visible = [one for one in waiting if view.shows_status_of(one)]
    return steps + [{"label": _("Answer from %(agency)s", agency=one.agency_name), "state": "next"} for one in visible]


def _label(step: str, agency: str, number: int | None) -> Any:
    if step == rules.Step.DOWNLOADED and number == 1:
        return _("Main document downloaded by %(agency)s", agency=agency)
    return {
        rules.Step.SENT: _("Sent"),
        rules.Step.AVAILABLE: _("Available to %(agency)s", agency=agency),
        rules.Step.DOWNLOADED: _("Annex %(number)s downloaded by %(agency)s", agency=agency, number=(number or 1) - 1),
        rules.Step.ACKNOWLEDGED: _("Acknowledged by %(agency)s", agency=agency),
        rules.Step.REJECTED: _("Rejected by %(agency)s", agency=agency),
    }[rules.Step(step)]
