"""``manage.py relay``: sends the outbox, resumes what nobody holds, and does whatever else has come due."""

from __future__ import annotations

import signal
import threading
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from config.celery import app
from runtime import timers
from runtime.calls import fence
from runtime.dynconf.watching import watch
from runtime.embedded.readiness import say_ready
from runtime.idempotency.store import prune
from runtime.messaging import broker, inbox, pruning
from runtime.messaging.letterbox import fetch_dead
from runtime.messaging.reconciler import Reconciler
from runtime.messaging.relay import Relay
from runtime.messaging.tasks import REDELIVER
from runtime.pulses.beating import Heart
from runtime.saga import sweeper
from runtime.telemetry.probes import open_door
from runtime.timers import Timer

POLL = 1.0
"""Seconds between two looks at an outbox that was empty and of which PostgreSQL had nothing to say."""


class Command(BaseCommand):
    help = "Sends events from the outbox, resumes sagas, retries inboxes, and runs the domains' timers."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        watch()
        open_door()
        say_ready()
        due = [timer for domain in settings.HOSTED_DOMAINS for timer in timers_of(domain)]
        heart = Heart("relay")
        timers.run([*due, *heart.timers()], stop=stop)
        heart.leave()


def timers_of(domain: str) -> list[Timer]:
    """All that comes due in one domain: runtime's own, then what the domain's tasks.py adds."""
    relay = Relay(app=app, domain=domain)
    return [
        Timer(name=f"{domain}.outbox", every=POLL, run=relay.publish_batch, wait=relay.wait),
        Timer(name=f"{domain}.reconciler", every=2.5, run=Reconciler(app=app, domain=domain).compare),
        Timer(name=f"{domain}.inbox", every=1.0, run=partial(_retry_inbox, domain)),
        Timer(name=f"{domain}.waiting", every=5.0, run=partial(_wake, domain)),
        Timer(name=f"{domain}.dead", every=5.0, run=partial(fetch_dead, app, consumer=domain)),
        Timer(name=f"{domain}.events", every=60.0, run=partial(pruning.prune, using=domain)),
        Timer(name=f"{domain}.sagas", every=0.5, run=partial(_sweep_sagas, domain)),
        Timer(name=f"{domain}.idempotency", every=60.0, run=partial(prune, using=domain)),
        Timer(name=f"{domain}.fences", every=600.0, run=partial(fence.prune, using=domain)),
        *import_string(f"apps.{domain}.tasks.TIMERS"),
    ]


def _retry_inbox(domain: str) -> bool:
    due = inbox.take_due(consumer=domain, limit=100)
    for turn in due:
        told = {"consumer": domain, "event_id": str(turn.event_id), "attempts": turn.attempts}
        broker.send_to_queue(app, REDELIVER, to=domain, **told)
    return len(due) == 100


def _wake(domain: str) -> bool:
    inbox.wake(consumer=domain)
    return False


def _sweep_sagas(domain: str) -> bool:
    def nudge(run_id: UUID, epoch: int) -> None:
        broker.send_to_queue(app, sweeper.RESUME, to=domain, domain=domain, run_id=str(run_id), after=epoch)

    return sweeper.sweep(domain=domain, nudge=nudge)
