"""
What an event wears on its way: the seed's four fields, and what ordering, versions and traces need beside them.

Fields follow the CloudEvents 1.0 attributes in meaning (source, subject, time), under the names that the wire has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    ``sequence`` counts the events of one subject from 1, without gaps. Times are UTC.

    ``after`` says for each subscriber which event of the subject it was sent before this one, by sequence: a subscriber
    does not get every event, so that it could not tell a gap from an event that is none of its business.
    """

    event_id: UUID
    event_type: str
    version: int
    timestamp: datetime
    source: str
    subject: str
    sequence: int
    data: dict[str, Any]
    traceparent: str | None = None
    after: dict[str, int] = {}


class MalformedEnvelope(ValueError):
    """This message is not an event's envelope."""


def read(message: Any) -> Envelope:
    """Raises MalformedEnvelope. Fields that are not known are ignored: a newer sender may have added them."""
    try:
        return msgspec.convert(message, type=Envelope)
    except msgspec.ValidationError as error:
        raise MalformedEnvelope(str(error)) from error


def write(envelope: Envelope) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(envelope)
    return plain


def as_json(envelope: Envelope) -> str:
    """The same as text."""
    return msgspec.json.encode(envelope).decode()


def described(operation: str, event_id: UUID, *, exchange: str, routing_key: str) -> tuple[str, dict[str, str]]:
    """
    The name and the attributes of a span about an event: ``create`` (the row), ``send`` (the relay), ``process``.

    Both of the latter are below the first, which the event carries with it.
    """
    destination = f"{exchange}:{routing_key}"
    scheme = (settings.BROKER_URL or "").partition(":")[0]
    return f"{operation} {destination}", {
        "messaging.system": "rabbitmq" if scheme.startswith("amqp") else "redis",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
        "messaging.message.id": str(event_id),
    }
