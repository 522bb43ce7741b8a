"""Persons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from identity.people.rules import Run
from kernel.database.db import Base, Identified


class Person(Identified, Base):
    """A person with a digital identity. `is_test_person` marks the sandbox's: known passwords, never a real citizen.

    second_factor: when a code is asked for besides the password, None for a person who has none (`second_factor`).
    phone: the number that they confirmed, in the form of E.164.
    language: what mails to them are written in: that of their latest sign-in, until they choose one.
    """

    __tablename__ = "person"
    __table_args__ = (CheckConstraint("run_number BETWEEN 1 AND 99999999", name="run_number"),)

    run_number: Mapped[int] = mapped_column(unique=True)
    run_dv: Mapped[str] = mapped_column(Text)
    given_names: Mapped[list[str]]
    family_names: Mapped[list[str]]
    email: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    is_test_person: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]
    second_factor: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text, default="es")
    language_is_chosen: Mapped[bool] = mapped_column(default=False)

    @property
    def run(self) -> Run:
        return Run(self.run_number, self.run_dv)

    @property
    def name(self) -> str:
        return " ".join([*self.given_names, *self.family_names])
