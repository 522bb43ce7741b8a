"""The column of a party: its text, such as `agency:AE001`."""

from __future__ import annotations

from sqlalchemy import Dialect, Text, TypeDecorator

from kernel.base.parties import Party


class PartyType(TypeDecorator[Party]):
    """A party in a column of text, so that one column says whose a thing is, of whatever kind its owner is."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Party | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Party | None:
        return None if value is None else Party.parse(value)
