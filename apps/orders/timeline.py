"""One order's story in one list: what each domain says happened, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.orders import repository
from apps.orders.models import Order
from contracts.inventory import INVENTORY
from contracts.payments import PAYMENTS
from runtime.calls import resolve
from runtime.messaging.outbox import traces_of
from runtime.saga.store import logs_of

ALIAS = "orders"


def timeline(order: Order) -> list[dict[str, Any]]:
    """Raises Unavailable where a domain that has a part in it cannot be asked."""
    moments = [*_events(order.id), *_steps(order), *_elsewhere(order.id)]
    return sorted(moments, key=lambda moment: moment["at"])


def traced(order: Order) -> list[tuple[str, datetime, str]]:
    """What is known here of an order's traces: the id, when, and which event or step."""
    moments = [*_events(order.id), *_steps(order)]
    return [(moment["trace_id"], moment["at"], moment["kind"]) for moment in moments if "trace_id" in moment]


def _events(order_id: UUID) -> Iterator[dict[str, Any]]:
    traces = traces_of(str(order_id), using=ALIAS)
    for entry in repository.history(order_id):
        kind, detail = f"event.{entry.event.name}", f"version {entry.version}"
        yield _moment(entry.recorded_at, "orders", kind, detail, trace_id=traces.get(entry.version))


def _steps(order: Order) -> Iterator[dict[str, Any]]:
    for definition, entries in logs_of(repository.load(order.id).subjects, using=ALIAS):
        for entry in entries:
            tries = f", {entry['tries']} tries" if entry["tries"] > 1 else ""
            detail = f": {entry['detail']}" if entry["detail"] else ""
            kind = f"saga.{definition.removeprefix('orders.')}.{entry['step']}"
            at = datetime.fromisoformat(entry["at"])
            told = f"{entry['action']} {entry['result']}{tries}{detail}"
            yield _moment(at, "orders", kind, told, trace_id=entry.get("trace"))


def _elsewhere(order_id: UUID) -> Iterator[dict[str, Any]]:
    for paid in resolve(PAYMENTS).history(order_id=order_id):
        yield _moment(paid.at, "payments", paid.kind, paid.detail, trace_id=paid.trace_id)
    for held in resolve(INVENTORY).history(order_id=order_id):
        yield _moment(held.at, "inventory", held.kind, held.detail, trace_id=held.trace_id)


def _moment(at: datetime, source: str, kind: str, detail: str, *, trace_id: str | None = None) -> dict[str, Any]:
    moment = {"at": at, "source": source, "kind": kind, "detail": detail}
    return moment if trace_id is None else {**moment, "trace_id": trace_id}
