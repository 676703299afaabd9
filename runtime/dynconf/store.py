"""The table that values are kept in, in the schema of the one domain that has them (DYNAMIC_DOMAIN)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from runtime.audit.models import AuditEntry
from runtime.audit.store import Decision, Deed, write
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.dynconf.declared import declared, require
from runtime.dynconf.models import DynamicValue
from runtime.dynconf.values import Snapshot

__all__ = ["CHANNEL", "Change", "change", "facts_of", "history", "read", "write_down_keys"]

CHANNEL = "mitosis_dynamic_values"
"""PostgreSQL tells here of each change, when it is committed."""

OBJECT_TYPE = "dynamicvalue"
"""What the audit calls a value."""

_ONE_AFTER_ANOTHER = 7_021_346_113_001
"""An advisory lock: versions are counted without a gap, and each change has seen the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change did. Texts; None is the default. ``version`` is that of all values afterwards."""

    before: str | None
    after: str | None
    version: int


def read() -> Snapshot:
    """Everything that was changed, of one moment."""
    rows = DynamicValue.objects.using(_alias()).values_list("key", "text", "version")
    found = list(rows)
    return Snapshot(
        version=max((version for *_, version in found), default=0),
        texts={key: text for key, text, _ in found if text is not None},
    )


def change(*, key: str, text: str | None, decision: Decision | None = None) -> Change:
    """
    From now on the value is this, everywhere; None is its default. What it is already changes nothing.

    With a ``decision`` the audit row is written in the same transaction; without one the caller writes it. Raises
    UnknownValue, BadValue.
    """
    each, alias = require(key), _alias()
    wanted = None if text is None else each.canonical(text)
    with transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AFTER_ANOTHER])
        version = read().version
        insert_once(DynamicValue(key=key, text=None, version=0), using=alias)
        row = DynamicValue.objects.using(alias).get(key=key)
        before = row.text
        if before != wanted:
            version += 1
            DynamicValue.objects.using(alias).filter(key=key).update(text=wanted, version=version, changed_at=Now())
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(version)])
        if decision is not None:
            deed = Deed(
                action=f"{alias}.change_value",
                object_type=OBJECT_TYPE,
                object_id=key,
                reason=decision.reason,
                before=facts_of(key, before),
                after=facts_of(key, wanted),
            )
            write(deed, operator=decision.operator, key=decision.key, using=alias)
    return Change(before=before, after=wanted, version=version)


def facts_of(key: str, text: str | None) -> dict[str, Any]:
    """What of a value goes into an audit row: what it is, and whether that is its default."""
    each = require(key)
    return {"value": each.shown(each.initial()) if text is None else text, "default": text is None}


def history(*, key: str | None = None, limit: int = 100) -> list[AuditEntry]:
    """Who changed what, the latest first."""
    rows = AuditEntry.objects.using(_alias()).filter(object_type=OBJECT_TYPE)
    return list((rows if key is None else rows.filter(object_id=key)).order_by("-id")[:limit])


def write_down_keys() -> None:
    """A row for each value that is declared, so that it can be looked at before it was ever changed."""
    known = set(DynamicValue.objects.using(_alias()).values_list("key", flat=True))
    for key in declared().keys() - known:
        insert_once(DynamicValue(key=key, text=None, version=0), using=_alias())


def _alias() -> str:
    domain: str = settings.DYNAMIC_DOMAIN
    return domain
