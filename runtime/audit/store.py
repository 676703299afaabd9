"""Writes audit rows, once for each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runtime.audit.models import AuditEntry
from runtime.databases.rows import insert_once
from runtime.telemetry.tracing import current_request_id

__all__ = ["COMMAND_LINE", "Decision", "Deed", "write"]

COMMAND_LINE = UUID(int=0)
"""Who did it, in the audit rows: somebody at the command line, who did not sign in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decided, and why, for the audit row in the transaction of the deed. Once for each key."""

    operator: UUID
    reason: str
    key: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """
    What was done to what. ``action`` is written domain.verb; ``before`` and ``after`` are plain JSON, empty where there
    was nothing before.
    """

    action: str
    object_type: str
    object_id: str
    reason: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def write(deed: Deed, *, operator: UUID, key: UUID, using: str) -> bool:
    """Write it down in this domain's schema, by its clock. False where this key is written down already."""
    entry = AuditEntry(
        operator=operator,
        action=deed.action,
        object_type=deed.object_type,
        object_id=deed.object_id,
        reason=deed.reason,
        before=dict(deed.before),
        after=dict(deed.after),
        key=key,
        request_id=current_request_id(),
    )
    return insert_once(entry, using=using)
