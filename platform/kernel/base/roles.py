"""Roles: rights at an agency, which the capabilities that look at them declare."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.base.errors import Text
from kernel.base.slots import Slot


@dataclass(frozen=True)
class Role:
    """A right at an agency: officials are appointed to it, or have it by a function of the state's.

    title, description: the role and its rights, in words. follows_from: the functions with which it comes.
    """

    name: str
    title: Text
    description: Text
    follows_from: frozenset[str] = frozenset()


ROLES: Slot[list[Role]] = Slot("roles", list)
"""Roles that the blocks deployed here have declared."""
