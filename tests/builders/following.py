"""Jobs that follow a record, run as a worker would, and nothing else that waits."""

import json
from types import SimpleNamespace

from sqlalchemy import text

from kernel.database.db import session
from kernel.jobs.jobs import _application

WAITING = text("SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")


def follow_up(*, times: int = 1, also: tuple[str, ...] = ()) -> None:
    """Run each follower that waits, as often as it is said, and forget it.

    also: further jobs to run, by their names.
    """
    waiting = session().execute(WAITING).all()
    session().rollback()
    for job_id, name, arguments in waiting:
        if ":follow-" not in name and name not in also:
            continue
        for _ in range(times):
            _application.tasks[name].func(SimpleNamespace(job=SimpleNamespace(id=job_id)), **_plain(arguments))
        session().execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": job_id})
        session().commit()


def _plain(arguments: dict[str, object]) -> dict[str, object]:
    return dict(json.loads(json.dumps(arguments)))
