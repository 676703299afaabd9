"""The web server. Addresses come from the command line or PORT; what is measured and decided stands here."""

import os
from typing import Any

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))

# A gthread worker's timeout does not end a slow request, only a worker that hangs as a whole.
timeout = 60
graceful_timeout = 10
keepalive = 5

# Two servers of one user would fight over the one socket in the home directory.
control_socket_disable = True
accesslog = None

# Each worker process counts for itself, in files of its own here; /metrics adds them up.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", f"{os.environ.get('STATE_DIR') or 'var'}/metrics")


def on_starting(server: Any) -> None:
    """Raises BadSetting where others could not find us."""
    _announcement()


def post_worker_init(worker: Any) -> None:
    """The first customer finds everything loaded, and whoever started this is told that it serves."""
    from config.wsgi import answers_ready
    from runtime.dynconf.watching import watch
    from runtime.embedded.readiness import say_ready
    from runtime.http.configuration import leave_when

    leave_when(lambda: not worker.alive)
    watch()
    if answers_ready():
        say_ready(of=worker.cfg.workers)
    if announcement := _announcement():
        announcement.keep()


def on_exit(server: Any) -> None:
    """The workers have ended: nobody is to be sent here any more."""
    if announcement := _announcement():
        announcement.withdraw()


def _announcement() -> Any:
    """What Consul is told of this web server; None where it is told nothing."""
    from config.announcement import announcement_of
    from config.environment import ENVIRONMENT

    return announcement_of(ENVIRONMENT)
