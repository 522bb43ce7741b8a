"""Settings of gunicorn for the portal. `--bind` and what else is on its command line goes before this."""

import gc
import os
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from gunicorn import util
from prometheus_client import multiprocess

bind = "127.0.0.1:8000"
worker_class = "portal.gunicorn_worker.StayingThreadWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("CORDILLERA_WEB_THREADS", "16"))
timeout = 60
graceful_timeout = 10
keepalive = 15
# The kernel would send a file at whatever pace its reader takes it.
sendfile = False
# RFC 9112 3: at least 8,000 octets of a request line have to be taken. These are gunicorn's own greatest values.
limit_request_line = 8190
limit_request_field_size = 8190
errorlog = "-"
# Two checkouts on one machine would meet in the control socket's only place.
control_socket_disable = True

GARBAGE_COLLECTED_EVERY = 10_000
"""Objects. Python's own 700 are fewer than a page makes."""


def post_fork(server: Any, worker: Any) -> None:
    """Let the application know how many threads it has, of which some may wait for others."""
    os.environ["CORDILLERA_WEB_THREADS"] = str(worker.cfg.threads)


def post_worker_init(worker: Any) -> None:
    """Spare each request what is the same for all.

    The settings become plain attributes: gunicorn looks some twenty of them up for a request, each by two calls. The
    date is written once a second. And what is loaded by now stays: the garbage collector looked through all of it again
    and again.
    """
    vars(worker.cfg).update({name: setting.get() for name, setting in worker.cfg.settings.items()})
    util.http_date = lambda: _date_of(int(time.time()))
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_COLLECTED_EVERY)


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    """RFC 9110 5.6.7."""
    return formatdate(second, usegmt=True)


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a worker that ended; its counts stay in the sum."""
    _drop_gauges(worker)


def worker_exit(server: Any, worker: Any) -> None:
    """Do the same for a worker whose master has not lived to do it."""
    _drop_gauges(worker)


def _drop_gauges(worker: Any) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
