"""What workers run for messaging: an event that arrived, and an event whose next try is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.exceptions import Reject
from django.conf import settings
from django.db import Error as DatabaseError

from runtime.databases.transactions import is_outage
from runtime.messaging import deadletters, inbox
from runtime.messaging.broker import DELIVER
from runtime.messaging.envelope import MalformedEnvelope, read
from runtime.messaging.subscriptions import is_known, subscriptions

log = logging.getLogger(__name__)

REDELIVER = "mitosis.redeliver"

_PAUSE = 1.0
"""Seconds before an event that could not be written down goes back to the broker."""


@shared_task(name=DELIVER)
def deliver(*, event: Any) -> None:
    """
    An event came off a queue. Each domain hosted here that subscribes to it takes it in its own inbox.

    The queue it came from is not asked: a copy for another domain of this process finds its inbox row and does nothing.
    While a consumer's database is away the broker keeps the event. What cannot be read is parked.
    """
    try:
        envelope = read(event)
    except MalformedEnvelope as error:
        source = event.get("source") if isinstance(event, dict) else None
        _keep_unreadable(event, f"MalformedEnvelope: {error}", source=source)
        return
    if is_known(envelope.event_type):
        hosted = [c for c in subscriptions().consumers_of(envelope.event_type) if c in settings.HOSTED_DOMAINS]
        _unless_away(hosted, partial(inbox.receive, envelope))
    else:
        reason = f"{envelope.event_type} is the name of no event that is known here."
        _keep_unreadable(event, reason, source=envelope.source)


@shared_task(name=REDELIVER)
def redeliver(*, consumer: str, event_id: str, attempts: int) -> None:
    inbox.retry(inbox.Turn(UUID(event_id), attempts), consumer=consumer)


def _keep_unreadable(event: Any, reason: str, *, source: Any) -> None:
    """With whoever here listens to that exchange, or else with the first domain here: nothing is ever dropped."""
    raw = event if isinstance(event, str | dict) else repr(event)
    table, hosted = subscriptions(), settings.HOSTED_DOMAINS
    listeners = [consumer for consumer in hosted if isinstance(source, str) and table.types_of(consumer, source=source)]
    log.error("what came off a queue is parked: %s", reason)
    _unless_away(listeners or hosted[:1], partial(deadletters.keep_unreadable, raw, reason))


def _unless_away(consumers: Sequence[str], take: Callable[..., None]) -> None:
    """For each of them. Raises Reject, so that the broker keeps the message, while one has no database."""
    away: list[str] = []
    for consumer in consumers:
        try:
            take(consumer=consumer)
        except DatabaseError as error:
            if not is_outage(error):
                raise
            away.append(consumer)
    if away:
        log.warning("a message goes back to the broker: no database for %s", ", ".join(away))
        time.sleep(_PAUSE)
        raise Reject(f"no database for {', '.join(away)}", requeue=True)
