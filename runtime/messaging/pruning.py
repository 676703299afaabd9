"""
Drops what is long done with, a batch at a time.

The inbox keeps what was handled for twice as long as the outbox keeps what was told: whatever is sent again, by the
reconciler or from a broker that came back, still meets the row that says it was handled.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections

LIMIT = 1000

# Ids are made of time (UUID version 7), so the oldest rows are the first ones of the primary key: no index more.
_OUTBOX = """
DELETE FROM messaging_outboxmessage WHERE event_id IN (
    SELECT event_id FROM messaging_outboxmessage
    WHERE event_id < %(before)s::uuid AND (settled_at < clock_now() - %(age)s OR (NOT wanted AND published_at IS NULL))
    ORDER BY event_id LIMIT %(limit)s)
"""
_INBOX = """
DELETE FROM messaging_inboxmessage WHERE event_id IN (
    SELECT event_id FROM messaging_inboxmessage
    WHERE event_id < %(before)s::uuid AND handled_at < clock_now() - %(age)s
    ORDER BY event_id LIMIT %(limit)s)
"""
_FIRST_ID = """
SELECT rpad(lpad(to_hex((extract(epoch FROM clock_now() - %s) * 1000)::bigint), 12, '0'), 32, '0')::uuid
"""


def prune(*, using: str) -> bool:
    """Up to a batch of each. Whether there may be more."""
    kept = timedelta(seconds=settings.EVENT_RETENTION)
    return any([_drop(_OUTBOX, using, kept), _drop(_INBOX, using, 2 * kept)])


def _drop(statement: str, using: str, age: Any) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute(_FIRST_ID, [age])
        (before,) = cursor.fetchone() or (None,)
        cursor.execute(statement, {"before": before, "age": age, "limit": LIMIT})
        return bool(cursor.rowcount == LIMIT)
