"""Composition of the gateway."""

from __future__ import annotations

from kernel.composition import Composition
from kernel.jobs.access import ProgramPaths


def compose(composition: Composition) -> None:
    """Its paths: a call's token is for the service called."""
    composition.program_paths.append(ProgramPaths("/gateway/", is_of_services=True))
