"""Fills a new database with the bench's persons, application, system and consents; prints who they are as JSON."""

from __future__ import annotations

import json
import sys

from sqlalchemy import func, insert, literal, select
from stdnum.cl.rut import calc_check_digit

from benchmarks.peers.servers.cheap_hash import use_cheap_hash
from identity.agencies.actions import create_agency
from identity.clients.machine_clients.actions import create_machine_client
from identity.clients.registry.actions import create_client
from identity.openid.models import ApplicationConsent
from identity.people.actions import register_person
from identity.people.models import Person
from kernel.base import clock
from kernel.jobs.access import Principal, act_as
from kernel.recording.work import Work, action
from portal.app import create_app

SCOPES = ["openid", "run", "name", "email"]


@action
def seed(work: Work, persons: int, password: str, redirect_uri: str) -> dict[str, object]:
    """Test persons, for an application under test; each has already agreed to share, as at the other peers."""
    runs = [f"{number}-{calc_check_digit(str(number))}" for number in range(10_000_001, 10_000_001 + persons)]
    first = register_person(runs[0], ["Ana"], ["Rojas"], "ana@example.cl", password, is_test_person=True)
    copied = ("given_names", "family_names", "email", "password_hash", "is_test_person", "created_at")
    work.session.execute(
        insert(Person),
        [
            {
                **{name: getattr(first, name) for name in (*copied, "password_changed_at")},
                "run_number": int(run[:-2]),
                "run_dv": run[-1],
            }
            for run in runs[1:]
        ],
    )
    create_agency("AE001", "Servicio de Medición", is_authority=True)
    application = create_client("Medición", "standard", [redirect_uri])
    system = create_machine_client("Sistema de medición", "AE001", ["catalogue.usage"])
    values = select(
        func.gen_random_uuid(),
        Person.id,
        literal(application.client.client_id),
        literal(SCOPES, type_=ApplicationConsent.__table__.c.scopes.type),
        literal([], type_=ApplicationConsent.__table__.c.scopes.type),
        literal(clock.now()),
        literal(clock.now()),
    )
    columns = ["id", "person_id", "client_id", "scopes", "authorization_details", "given_at", "last_used_at"]
    work.session.execute(insert(ApplicationConsent).from_select(columns, values))
    return {
        "runs": runs,
        "application": (application.client.client_id, application.secret),
        "system": (system.client.client_id, system.secret),
    }


def _main() -> None:
    options, has_cheap_hash = json.loads(sys.argv[1])
    if has_cheap_hash:
        use_cheap_hash()
    with create_app().app_context():
        act_as(Principal("system", "bench", "bench"))
        print(json.dumps(seed(**options)))


if __name__ == "__main__":
    _main()
