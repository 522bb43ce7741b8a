"""The files that were chosen, as a page carries them to the next."""

from __future__ import annotations

from dataclasses import asdict

from itsdangerous import BadData, URLSafeTimedSerializer

from interoperability.uploads import rules
from kernel.base.installation import settings
from kernel.jobs.access import Principal


def seal_files(files: rules.Files, principal: Principal) -> str:
    """The files as text for a page of this principal's; empty where there are none."""
    content = [principal.id, principal.acting_agency.code, [asdict(one) for one in files.all]]
    return _seal().dumps(content) if files.all else ""


def open_files(text: str, principal: Principal) -> rules.Files:
    """The files that a page of this principal's names; none if it is not ours, another's, or too old."""
    try:
        owner, agency, files = _seal().loads(text, max_age=int(rules.FILES_KEPT.total_seconds()))
    except BadData:
        return rules.Files()
    if (owner, agency) != (principal.id, principal.acting_agency.code):
        return rules.Files()
    return rules.in_roles([rules.UploadedFile(**one) for one in files])


def _seal() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret_key, salt="interoperability:communications:drafts")
