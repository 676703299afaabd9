"""What runs a web server, a worker and a relay: under the supervisor and in a container alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MANAGE = (sys.executable, str(PROJECT / "manage.py"))

MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}
"""
A password's hash takes 19 MiB for a moment. Left alone, glibc learns from that to keep such blocks, for each thread
(mallopt(3), M_MMAP_THRESHOLD); told a size, it gives them back.
"""


def web_command(public: str, inside: str) -> tuple[str, ...]:
    """Both are what gunicorn can bind. The second one is for the inside: metrics, and what other services ask."""
    gunicorn = (sys.executable, "-m", "gunicorn", "config.wsgi:application", "--config", "config/gunicorn.py")
    return (*gunicorn, "--bind", public, "--bind", inside, "--no-control-socket")


def worker_command(domains: Sequence[str], *, hostname: str) -> tuple[str, ...]:
    celery = (sys.executable, "-m", "celery", "--app", "config", "worker", "--loglevel", "WARNING")
    # Three: each waits for a disk or a neighbour for a good part of its time, and two would leave processors idle.
    alone = ("--concurrency", "3", "--without-gossip", "--without-mingle", "--hostname", hostname)
    return (*celery, *alone, "--queues", ",".join(domains))


def relay_command() -> tuple[str, ...]:
    return (*MANAGE, "relay")
