"""procrastinate's worker, which besides shows that it works on the jobs it holds, and goes by no clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import procrastinate
import structlog
from procrastinate.periodic import PeriodicDeferrer, TaskAtTime
from procrastinate.worker import Worker

LOOKS_EVERY_SECONDS = 10.0
WAITS_TWICE_AS_LONG = 2
"""The pause before a try, in seconds, is this to the power of how many there were."""

GIVE_BACK = "SELECT procrastinate_retry_job_v2(%(job_id)s, now(), NULL, NULL, NULL)"
BRING_FORWARD = """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE status = 'todo' AND attempts > 0
      AND scheduled_at > now() + make_interval(secs => 60 + power(%(base)s, LEAST(attempts, 30)))
    RETURNING id
"""
"""A retry that lies further ahead than its pause is long was put off by a wrong clock; a minute is no difference."""
FORGET_FUTURE = "DELETE FROM procrastinate_periodic_defers WHERE defer_timestamp > 60 + extract(epoch FROM now())"
"""What was started for a time that has not come is started again when it comes."""

log = structlog.get_logger(__name__)


class JobApp(procrastinate.App):
    """Jobs that are run by this worker."""

    def _worker(self, **options: Any) -> Worker:
        return JobWorker(self, **{**self.worker_defaults, **options})


class JobWorker(Worker):
    """A worker that looks after the queue between its jobs."""

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        return [*super()._start_side_tasks(), asyncio.create_task(self._look_after_queue(), name="look_after_queue")]

    async def _periodic_deferrer(self) -> None:
        await _Deferrer(registry=self.app.periodic_registry, **self.app.periodic_defaults).worker()

    async def _look_after_queue(self) -> None:
        query = self.app.connector.execute_query_all_async
        idle: set[int] = set()
        while True:
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
            try:
                idle = await self._give_back(idle)
                if forward := await query(BRING_FORWARD, base=WAITS_TWICE_AS_LONG):
                    log.warning("jobs brought forward", jobs=[row["id"] for row in forward])
                await self.app.connector.execute_query_async(FORGET_FUTURE)
            except procrastinate.exceptions.ConnectorException as error:
                log.warning("the queue was not looked after", cause=type(error).__name__)

    async def _give_back(self, idle_before: set[int]) -> set[int]:
        """Give back the jobs that are marked as this worker's and that it does not work on; those that may be.

        Where a connection is cut while a job is taken or its end is written down, the job stays marked. One that is
        being taken or ended at this moment looks the same, so only what was found twice in a row is given back.
        """
        marked = await self.app.job_manager.list_jobs_async(status="doing", worker_id=self.worker_id)
        at_work = {context.job.id for context in self._running_jobs.values()}
        idle = {job.id: job.task_name for job in marked if job.id is not None and job.id not in at_work}
        for job_id in idle.keys() & idle_before:
            log.warning("job given back", job=job_id, task=idle[job_id])
            await self.app.connector.execute_query_async(GIVE_BACK, job_id=job_id)
        return idle.keys() - idle_before


class _Deferrer(PeriodicDeferrer):
    """Starts jobs by the clock, also after the clock was set: back, or so far ahead that all in between would start."""

    def get_previous_tasks(self, at: float) -> Iterable[TaskAtTime]:
        self.last_defers = {
            task: started for task, started in self.last_defers.items() if at - self.max_delay <= started <= at
        }
        return super().get_previous_tasks(at)
