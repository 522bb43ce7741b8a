"""Bringing the test persons into being."""

from __future__ import annotations

import base64

from identity.authentication.one_time_codes.actions import publish_secret
from identity.people.actions import register_person
from identity.people.queries import find_by_run
from kernel.recording.work import Work, action
from sandbox.personas.rules import PASSWORD, PERSONAS, PUBLISHED_SECRET


@action
def seed_personas(work: Work) -> int:
    """Register the test persons that are missing; how many there were to register. Safe to call again."""
    missing = [persona for persona in PERSONAS if find_by_run(persona.run) is None]
    for persona in missing:
        person = register_person(
            persona.run, persona.given_names, persona.family_names, persona.email, PASSWORD, is_test_person=True
        )
        if persona.has_second_factor:
            publish_secret(person, base64.b32decode(PUBLISHED_SECRET))
    return len(missing)
