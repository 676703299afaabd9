"""Whom a domain hears of: how long ago each role was last heard of, and what ails those that live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from runtime.databases.clock import Now
from runtime.pulses.models import Pulse

__all__ = ["MISSED_AFTER", "ROLES", "Ailment", "ailments", "last_heard_of"]

ROLES = ("worker", "relay")
"""Who works for a domain beside its web servers, which answer for themselves."""
MISSED_AFTER = timedelta(seconds=15)
"""Three beats: who was not heard of for so long does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """What keeps one that lives from its work, by the runbook's name for it."""

    name: str
    said: str
    since: datetime


def last_heard_of(*, using: str) -> Mapping[str, datetime | None]:
    """For each role the latest beat of any of its processes; None where there was none within the hour."""
    rows = Pulse.objects.using(using).values_list("role").annotate(at=Max("beaten_at"))
    return {**dict.fromkeys(ROLES), **dict(rows)}


def ailments(*, using: str) -> list[Ailment]:
    """Of the processes that live, each kind once, since it was first heard of."""
    rows = Pulse.objects.using(using).filter(beaten_at__gt=Now() - MISSED_AFTER, ailment__isnull=False)
    found: dict[str, Ailment] = {}
    for row in rows.order_by("ails_since"):
        if row.ailment and row.ails_since:
            found.setdefault(row.ailment, Ailment(name=row.ailment, said=row.said, since=row.ails_since))
    return list(found.values())
