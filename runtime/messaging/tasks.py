"""What workers run for messaging: an event that arrived, and an event whose next try is due."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings

from runtime.messaging import inbox
from runtime.messaging.broker import DELIVER
from runtime.messaging.envelope import read
from runtime.messaging.subscriptions import subscriptions

log = logging.getLogger(__name__)

REDELIVER = "mitosis.redeliver"


@shared_task(name=DELIVER)
def deliver(*, event: dict[str, Any]) -> None:
    """
    An event came off a queue. Each domain hosted here that subscribes to it takes it in its own inbox.

    The queue it came from is not asked: a copy for another domain of this process finds its inbox row and does nothing.
    """
    envelope = read(event)
    for consumer in subscriptions().consumers_of(envelope.event_type):
        if consumer in settings.HOSTED_DOMAINS:
            inbox.receive(envelope, consumer=consumer)


@shared_task(name=REDELIVER)
def redeliver(*, consumer: str, event_id: str) -> None:
    inbox.retry(UUID(event_id), consumer=consumer)
