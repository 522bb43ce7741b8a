"""The backlog of jobs: what waits, what failed, and another try for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from kernel.errors import NotFound
from kernel.work import Work, action


class Job(NamedTuple):
    """A job as an operator sees it."""

    id: int
    name: str
    status: str
    attempts: int
    scheduled_at: datetime | None
    arguments: dict[str, Any]


def find(session: Session, *, status: str, limit: int) -> list[Job]:
    """Jobs in a status (todo, doing, failed), oldest first."""
    query = text(
        "SELECT id, task_name, status::text, attempts, scheduled_at, args FROM procrastinate_jobs"
        " WHERE status = CAST(:status AS procrastinate_job_status) ORDER BY id LIMIT :limit"
    )
    return [Job(*row) for row in session.execute(query, {"status": status, "limit": limit})]


@action
def replay(work: Work, job_id: int) -> None:
    """Let a failed job run again. Raises NotFound unless there is a failed job of that number."""
    name = work.session.scalar(
        text("SELECT task_name FROM procrastinate_jobs WHERE id = :id AND status = 'failed'"), {"id": job_id}
    )
    if name is None:
        raise NotFound()
    work.session.execute(
        text("SELECT procrastinate_retry_job_v2(:id, :at, NULL, NULL, NULL)"), {"id": job_id, "at": work.now}
    )
    work.record("kernel:job:replayed", f"job:{job_id}", job=name)
