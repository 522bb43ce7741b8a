"""The hall: what the blocks bring into the house, and the application that is put together of it.

A capability says in its `composition.py` what it brings beside its pages, endpoints, jobs and reactions, which are
found by the names of their files. The kernel knows none of it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import flask
from flask import Flask

from kernel.api.interface import API_PATHS, ApiTexts, install_api
from kernel.api.interface import Blueprint as ApiBlueprint
from kernel.base.errors import Text
from kernel.base.notices import NoticeTemplate
from kernel.base.roles import ROLES, Role
from kernel.base.slots import Slot
from kernel.jobs.access import (
    AUTHENTICATORS,
    MACHINE_SCOPES,
    PROGRAM_PATHS,
    SIGN_IN_ENDPOINT,
    Authenticator,
    ProgramPaths,
)
from kernel.keys.signatures import ROTATED_PURPOSES
from kernel.outside.deliveries_events import EventType, install_event_types
from kernel.outside.notices import install_notices
from kernel.recording.pending import PENDING_KINDS, PendingKind
from kernel.recording.sealing import SealedLog, install_sealing

AuditNames: TypeAlias = Callable[[Collection[str]], Mapping[str, str]]
"""The names that people know of identifiers."""


@dataclass
class Composition:
    """Everything that the blocks bring. Each capability adds to it in turn, those below before those above."""

    app: Flask
    pages: list[flask.Blueprint] = field(default_factory=list)
    endpoints: list[ApiBlueprint] = field(default_factory=list)
    api_texts: ApiTexts = field(default_factory=ApiTexts)
    authenticators: list[Authenticator] = field(default_factory=list)
    """The first that knows the caller is believed."""
    program_paths: list[ProgramPaths] = field(default_factory=lambda: [API_PATHS])
    sign_in_endpoint: str = ""
    roles: list[Role] = field(default_factory=list)
    machine_scopes: dict[str, Text] = field(default_factory=dict)
    rotated_purposes: list[str] = field(default_factory=list)
    """Purposes of keys of our own, which are replaced by schedule."""
    sealed_logs: list[SealedLog] = field(default_factory=list)
    pending_kinds: list[PendingKind] = field(default_factory=list)
    notice_templates: list[NoticeTemplate] = field(default_factory=list)
    inbox_path: str = ""
    """The page where people read their notices."""
    audit_names: dict[str, AuditNames] = field(default_factory=dict)
    """By the table whose rows are named: the audit names them `table:identifier`."""
    event_types: list[EventType] = field(default_factory=list)
    """Events that others' servers may subscribe to."""

    def install(self) -> None:
        """Put the application together of what was brought."""
        app = self.app
        COMPOSITION.fill(app, self)
        AUTHENTICATORS.fill(app, self.authenticators)
        PROGRAM_PATHS.fill(app, {paths.prefix: paths for paths in self.program_paths})
        SIGN_IN_ENDPOINT.fill(app, self.sign_in_endpoint)
        ROLES.fill(app, self.roles)
        MACHINE_SCOPES.fill(app, self.machine_scopes)
        ROTATED_PURPOSES.fill(app, self.rotated_purposes)
        PENDING_KINDS.fill(app, self.pending_kinds)
        install_sealing(app, self.sealed_logs)
        install_event_types(app, self.event_types)
        install_notices(app, self.notice_templates, self.inbox_path)
        for blueprint in self.pages:
            app.register_blueprint(blueprint)
        install_api(app, self.endpoints, self.api_texts)


COMPOSITION: Slot[Composition] = Slot("composition")


def audit_names(subjects: Collection[str]) -> dict[str, str]:
    """The names that people know of rows that the audit names as `table:identifier`."""
    by_table: dict[str, list[str]] = {}
    for table, _colon, identifier in (subject.partition(":") for subject in subjects):
        by_table.setdefault(table, []).append(identifier)
    return {
        f"{table}:{identifier}": name
        for table, names_of in COMPOSITION().audit_names.items()
        if table in by_table
        for identifier, name in names_of(by_table[table]).items()
    }
