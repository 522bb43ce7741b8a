"""The backlog of jobs: what waits, what failed, and another try for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from kernel.base.errors import NotFound
from kernel.database.pagination import Page
from kernel.recording.work import Work, action

PAGE = 50
HIGHEST_ID = 2**63 - 1


class Job(NamedTuple):
    """A job as an operator sees it."""

    id: int
    name: str
    status: str
    attempts: int
    scheduled_at: datetime | None
    arguments: dict[str, Any]

    @property
    def things(self) -> dict[str, str]:
        """The arguments that name a thing; the others may be a letter's text, which is nobody else's to read."""
        return {name: str(value) for name, value in self.arguments.items() if name.endswith(("_id", "code"))}


def find(session: Session, *, status: str, limit: int) -> list[Job]:
    """Jobs in a status (todo, doing, failed), oldest first."""
    query = text(
        "SELECT id, task_name, status::text, attempts, scheduled_at, args FROM procrastinate_jobs"
        " WHERE status = CAST(:status AS procrastinate_job_status) ORDER BY id LIMIT :limit"
    )
    return [Job(*row) for row in session.execute(query, {"status": status, "limit": limit})]


def unfinished(session: Session, cursor: str | None = None) -> Page[Job]:
    """The jobs that wait, work or failed, the newest first; a cursor that is not ours begins anew."""
    before = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() else HIGHEST_ID
    query = text(
        "SELECT id, task_name, status::text, attempts, scheduled_at, args FROM procrastinate_jobs"
        " WHERE status IN ('failed', 'aborted', 'todo', 'doing') AND id < :before ORDER BY id DESC LIMIT :most"
    )
    rows = session.execute(query, {"before": min(before, HIGHEST_ID), "most": PAGE + 1})
    jobs = [Job(*row) for row in rows]
    return Page(jobs[:PAGE], str(jobs[PAGE - 1].id) if len(jobs) > PAGE else None)


def count_failed(session: Session) -> int:
    """The number of jobs that failed for good and wait for somebody to look."""
    return session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")) or 0


@action
def replay(work: Work, job_id: int) -> None:
    """Let a failed job run again. Raises NotFound unless there is a failed job of that number."""
    name = work.session.scalar(
        text("SELECT task_name FROM procrastinate_jobs WHERE id = :id AND status = 'failed'"), {"id": job_id}
    )
    if name is None:
        raise NotFound()
    # Its attempts count from nothing again: otherwise the first trouble would be its last.
    work.session.execute(text("UPDATE procrastinate_jobs SET attempts = 0 WHERE id = :id"), {"id": job_id})
    work.session.execute(text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"), {"id": job_id})
    work.record("kernel:job:replayed", f"job:{job_id}", job=name)
