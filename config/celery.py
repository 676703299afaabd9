"""Celery: which broker, which queues, and settings that do not lose work, each with its reason."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if os.environ.get("PROBE_BIND"):
    # The children count, and their parent shows it: in files, as a web server's workers do.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", f"{os.environ.get('STATE_DIR') or 'var'}/metrics")

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from celery import Celery
from celery.signals import (
    setup_logging,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from django.conf import settings
from django.db import close_old_connections, connections

from runtime.dynconf.watching import watch
from runtime.embedded.readiness import say_ready
from runtime.messaging.broker import CONFIRM_TIMEOUT, queue_of, speaks_amqp
from runtime.pulses.beating import Heart
from runtime.telemetry import rates, sending
from runtime.telemetry.probes import open_door

AMQP = speaks_amqp(settings.BROKER_URL or "")

# Without Celery's own fix-up for Django, which closes and opens the connections of all four domains around each task: a
# new connection costs more than the task. What it is for is done below.
app = Celery("mitosis", broker=settings.BROKER_URL or "memory://nowhere", set_as_current=True, fixups=[])

app.conf.update(
    task_queues=[queue_of(domain, amqp=AMQP) for domain in settings.HOSTED_DOMAINS],
    task_create_missing_queues=False,
    # What is not JSON is refused before any of it runs.
    accept_content=["json"],
    task_serializer="json",
    # Nobody waits for a task's answer.
    task_ignore_result=True,
    # A message is acknowledged when its work is written down, not when it arrives: a worker that dies gives it back.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # A task that raised is a bug of ours. RabbitMQ keeps its message among the dead letters; Valkey has no such place
    # and would hand it out for ever.
    task_acks_on_failure_or_timeout=not AMQP,
    # What cannot be read, or is no task of ours, is parked where people look, and not dropped.
    worker_consumer="runtime.messaging.letterbox:KeepingConsumer",
    # Nobody gives a worker orders over the broker, and RabbitMQ 4 has no room for the queues that this takes.
    worker_enable_remote_control=False,
    # A child is given one message at a time, and takes no other with it when it dies. What the worker holds beside, so
    # that no child waits for the broker, RabbitMQ hands out again at once when a worker dies; Valkey after a minute.
    worker_prefetch_multiplier=4 if AMQP else 1,
    worker_enable_prefetch_count_reduction=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    # A broker that is away is waited for, at start as later.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Children are recycled: a leak stays small.
    worker_max_tasks_per_child=10_000,
    worker_max_memory_per_child=400_000,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_transport_options=(
        # What is not confirmed may be lost; what never will be must not hold a thread. Seconds.
        {"confirm_publish": True, "write_timeout": CONFIRM_TIMEOUT}
        if AMQP
        # Valkey hands an unacknowledged message out again after this time, in seconds. Nothing here takes that long.
        else {"visibility_timeout": 60}
    ),
)
app.autodiscover_tasks(["runtime.messaging", "runtime.saga"])


@setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Django's LOGGING is the one set-up; Celery is not to make its own."""


_LOOK_EVERY = 1.0
"""Seconds between two looks at whether the databases still answer: one for each task would be one statement more."""
_next_look = 0.0


@task_prerun.connect
def _no_dead_connections(**kwargs: Any) -> None:
    """As Django does at the start of a request: what has served its time, or failed, is opened anew when needed."""
    global _next_look
    now = time.monotonic()
    if now >= _next_look or any(each.errors_occurred for each in connections.all(initialized_only=True)):
        _next_look = now + _LOOK_EVERY
        close_old_connections()


@worker_process_init.connect
def _own_connections(**kwargs: Any) -> None:
    """A connection opened before the fork would be shared by two processes."""
    connections.close_all()
    watch()


@worker_process_shutdown.connect
def _last_words(**kwargs: Any) -> None:
    """A child ends without a word to its threads, and so to whoever sends its spans and figures."""
    sending.flush()
    rates.flush()


@worker_ready.connect
def _takes_messages(**kwargs: Any) -> None:
    """From now on this one does the work, also while another one still ends what it has begun."""
    open_door()
    worker_shutdown.connect(_taking_leave(Heart("worker").in_background()), weak=False)
    say_ready()


def _taking_leave(end: Callable[[], None]) -> Callable[..., None]:
    return lambda **kwargs: end()
