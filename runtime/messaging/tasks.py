"""What workers run for messaging: an event that arrived, and an event whose next try is due."""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.exceptions import Reject
from django.conf import settings
from django.db import Error as DatabaseError

from runtime.databases.transactions import is_outage
from runtime.messaging import inbox
from runtime.messaging.broker import DELIVER
from runtime.messaging.envelope import read
from runtime.messaging.subscriptions import subscriptions

log = logging.getLogger(__name__)

REDELIVER = "mitosis.redeliver"

_PAUSE = 1.0
"""Seconds before an event that could not be written down goes back to the broker."""


@shared_task(name=DELIVER)
def deliver(*, event: dict[str, Any]) -> None:
    """
    An event came off a queue. Each domain hosted here that subscribes to it takes it in its own inbox.

    The queue it came from is not asked: a copy for another domain of this process finds its inbox row and does nothing.
    While a consumer's database is away the broker keeps the event (Celery would acknowledge a task that failed).
    """
    envelope = read(event)
    away: list[str] = []
    for consumer in subscriptions().consumers_of(envelope.event_type):
        if consumer not in settings.HOSTED_DOMAINS:
            continue
        try:
            inbox.receive(envelope, consumer=consumer)
        except DatabaseError as error:
            if not is_outage(error):
                raise
            away.append(consumer)
    if away:
        log.warning("%s of %s goes back: no database for %s", event["eventId"], envelope.source, ", ".join(away))
        time.sleep(_PAUSE)
        raise Reject(f"no database for {', '.join(away)}", requeue=True)


@shared_task(name=REDELIVER)
def redeliver(*, consumer: str, event_id: str) -> None:
    inbox.retry(UUID(event_id), consumer=consumer)
