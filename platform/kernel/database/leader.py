"""One leader among all processes, on however many machines: what only one may do at a time, another takes over.

Who leads holds a lock of the database for as long as its transaction lasts, so leading ends with the process, with its
connection and with the database. And it ends by time: whoever finds the lock taken for too long has the database end
that session. A leader on a machine that stands still keeps nobody from work, and when it wakes up its transaction is
gone with all that it had done.
"""

from __future__ import annotations

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

TAKE_LEAD = text("SELECT pg_try_advisory_xact_lock(hashtext(:lock))")
END_LATE_LEADER = text("""
    SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((classid::bigint << 32) | objid::bigint) = hashtext(:lock)
      AND xact_start < clock_timestamp() - make_interval(secs => :seconds)
""")
"""The lock's number stands there in two halves. Time is the database's, whatever a leader's own clock says."""

log = structlog.get_logger(__name__)


def leads(session: Session, name: str, seconds: float) -> bool:
    """Whether this transaction leads, until it ends. Of `name` there is one leader; its turn lasts `seconds` at most.

    A leader that is late is ended; the next attempt takes over.
    """
    if session.scalar(TAKE_LEAD, {"lock": name}):
        return True
    if session.execute(END_LATE_LEADER, {"lock": name, "seconds": seconds}).all():
        log.warning("a leader was late and lost its place", leader=name)
    return False
