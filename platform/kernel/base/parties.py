"""Parties: for whom something is, or whose it is, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PartyKind(StrEnum):
    """Kinds of those for whom something may be."""

    PERSON = "person"
    AGENCY = "agency"
    COMPANY = "company"
    DEVELOPER = "developer"
    OPERATOR = "operator"
    """The one who runs the installation."""
    ANYBODY = "open-registration"
    """Of what registered itself: nobody in particular."""


ALONE = frozenset({PartyKind.OPERATOR, PartyKind.ANYBODY})
"""Kinds of which there is one, without an identifier."""


@dataclass(frozen=True, order=True)
class Party:
    """Somebody for whom something is: the kind, and the identifier by which its block knows it.

    Its text is `agency:AE001`, or the kind alone where there is one of it.
    """

    kind: PartyKind
    id: str = ""

    def __post_init__(self) -> None:
        if (self.kind in ALONE) == bool(self.id):
            raise ValueError(f"no party: {self.kind} with the identifier {self.id!r}")

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> Party:
        """The party of a text. Raises ValueError for one that is none."""
        kind, _colon, identifier = text.partition(":")
        return cls(PartyKind(kind), identifier)

    @classmethod
    def agency(cls, code: str) -> Party:
        return cls(PartyKind.AGENCY, code)

    @classmethod
    def developer(cls, developer_id: object) -> Party:
        return cls(PartyKind.DEVELOPER, str(developer_id))

    @property
    def agency_code(self) -> str | None:
        """The agency's code; None for any other party."""
        return self.id if self.kind is PartyKind.AGENCY else None


OPERATOR, ANYBODY = Party(PartyKind.OPERATOR), Party(PartyKind.ANYBODY)
