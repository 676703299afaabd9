"""Reads and appends streams. Events are stored by explicit name and version, never by a Python path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from contracts._base import Event
from runtime.codec import encode, from_plain
from runtime.codec.upcasting import Upcasters, upcast
from runtime.eventstore.models import StreamEvent


class VersionConflict(Exception):
    """Somebody else appended to this stream first. Nothing was appended: load again and decide again."""


class UnknownEvent(ValueError):
    """A stream holds an event that this code has no type for."""


class AppendOutsideTransaction(RuntimeError):
    """A stream was appended to outside a transaction, so its read model could be left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it stands in its stream."""

    version: int
    event: Event
    recorded_at: datetime


Types = Mapping[str, type[Event]]

_NONE: Upcasters = {}


def append(stream: UUID, events: Sequence[Event], *, expected_version: int, using: str) -> datetime:
    """
    Add events after ``expected_version`` (0: the stream is new). The time they were recorded at.

    Raises VersionConflict where the stream has moved on; the transaction is still good then, and nothing was added.
    """
    if not events:
        raise ValueError(f"nothing to append to {stream}")
    connection = connections[using]
    if not connection.in_atomic_block:
        raise AppendOutsideTransaction(f"{stream} was appended to outside atomic(using={using!r}).")
    rows: list[Any] = []
    for offset, event in enumerate(events, start=1):
        data = encode(event, type(event)).decode()
        rows += [stream, expected_version + offset, event.name, event.version, data]
    values = ", ".join(["(%s, %s, %s, %s, %s::jsonb)"] * len(events))
    # Several are added or none: a savepoint takes back those that found their version free.
    all_or_none = transaction.atomic(using=using) if len(events) > 1 else nullcontext()
    with all_or_none, connection.cursor() as cursor:
        # The version before must be there as well: a writer that expects too much would leave a gap.
        cursor.execute(
            "INSERT INTO eventstore_streamevent (stream, version, event_type, schema_version, data)"
            f" SELECT v.stream, v.version, v.event_type, v.schema_version, v.data"
            f" FROM (VALUES {values}) AS v (stream, version, event_type, schema_version, data)"
            " WHERE %s = 0 OR EXISTS (SELECT FROM eventstore_streamevent WHERE stream = %s AND version = %s)"
            " ON CONFLICT DO NOTHING RETURNING recorded_at",
            [*rows, expected_version, stream, expected_version],
        )
        recorded: list[tuple[datetime]] = cursor.fetchall()
        if len(recorded) != len(events):
            raise VersionConflict(f"{stream} is no longer at version {expected_version}.")
    return recorded[-1][0]


def load(stream: UUID, *, types: Types, using: str, upcasters: Upcasters = _NONE) -> list[Recorded]:
    """The whole stream in order; empty where there is none. Raises UnknownEvent, NoWayUp, NotDecodable."""
    rows = StreamEvent.objects.using(using).filter(stream=stream).order_by("version")
    return [_recorded(row, types, upcasters) for row in rows]


def load_many(
    streams: Iterable[UUID], *, types: Types, using: str, upcasters: Upcasters = _NONE
) -> dict[UUID, list[Recorded]]:
    """Several streams at once. A stream that does not exist is left out."""
    rows = StreamEvent.objects.using(using).filter(stream__in=list(streams)).order_by("stream", "version")
    return {
        stream: [_recorded(row, types, upcasters) for row in group]
        for stream, group in groupby(rows, key=lambda row: row.stream)
    }


def _recorded(row: StreamEvent, types: Types, upcasters: Upcasters) -> Recorded:
    event_type = types.get(row.event_type)
    if event_type is None:
        raise UnknownEvent(f"{row.stream} holds {row.event_type}, which is not known here")
    data = upcast(
        row.data, name=row.event_type, version=row.schema_version, wanted=event_type.version, upcasters=upcasters
    )
    return Recorded(version=row.version, event=from_plain(data, event_type), recorded_at=row.recorded_at)


def streams_after(stream: UUID | None, *, limit: int, using: str) -> list[UUID]:
    """The next streams in order of their id: every stream there is, a page at a time."""
    rows = StreamEvent.objects.using(using).filter(version=1).order_by("stream")
    if stream is not None:
        rows = rows.filter(stream__gt=stream)
    return list(rows.values_list("stream", flat=True)[:limit])
