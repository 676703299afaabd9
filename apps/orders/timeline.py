"""One order's story in one list: what each domain says happened, in order of time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.orders import repository
from apps.orders.models import Order
from contracts._base import Unavailable
from contracts.inventory import INVENTORY, StockMoment
from contracts.payments import PAYMENTS, PaymentMoment
from runtime.calls import BrokenService, call, resolve
from runtime.messaging.outbox import traces_of
from runtime.saga.store import logs_of

log = logging.getLogger(__name__)

ALIAS = "orders"

PATIENCE = 2.0
"""Seconds that a domain may take to tell its part to a page that goes on without it."""


def timeline(order: Order) -> list[dict[str, Any]]:
    """Raises Unavailable where a domain that has a part in it cannot be asked."""
    moments = [*_events(order.id), *_steps(order), *_elsewhere(order.id)]
    return sorted(moments, key=lambda moment: moment["at"])


def traced(order: Order) -> list[tuple[str, datetime, str]]:
    """What is known here of an order's traces: the id, when, and which event or step."""
    moments = [*_events(order.id), *_steps(order)]
    return [(moment["trace_id"], moment["at"], moment["kind"]) for moment in moments if "trace_id" in moment]


def tries(order: Order) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the order's processes noted: the process's name, and which step was done or undone with which result."""
    for definition, entries in logs_of(repository.load(order.id).subjects, using=ALIAS):
        for entry in entries:
            yield definition.removeprefix("orders."), entry


def told_elsewhere(order_id: UUID) -> dict[str, Iterable[PaymentMoment | StockMoment] | None]:
    """
    What the other domains have to say, by domain; None for one that cannot be asked now. Those far away are asked at
    the same time.
    """
    questions: Mapping[str, Callable[[], Iterable[PaymentMoment | StockMoment]]] = {
        "payments": lambda: resolve(PAYMENTS).history(order_id=order_id),
        "inventory": lambda: resolve(INVENTORY).history(order_id=order_id),
    }
    far = [domain for domain in questions if domain not in settings.HOSTED_DOMAINS]
    with ThreadPoolExecutor(max_workers=len(far) or 1, thread_name_prefix="timeline") as threads:
        # Each goes on in a copy of this request's context: its trace, its id.
        waiting = {domain: threads.submit(copy_context().run, _asked, domain, questions[domain]) for domain in far}
        near = {domain: _asked(domain, ask) for domain, ask in questions.items() if domain not in waiting}
        return {**near, **{domain: one.result() for domain, one in waiting.items()}}


def _asked[T](domain: str, ask: Callable[[], T]) -> T | None:
    try:
        with call(seconds=PATIENCE):
            return ask()
    except (Unavailable, ImproperlyConfigured) as error:
        log.warning("%s has no part in a timeline: %s", domain, error)
    except BrokenService:
        log.exception("%s has no part in a timeline", domain)
    return None


def _events(order_id: UUID) -> Iterator[dict[str, Any]]:
    traces = traces_of(str(order_id), using=ALIAS)
    for entry in repository.history(order_id):
        kind, detail = f"event.{entry.event.name}", f"version {entry.version}"
        yield _moment(entry.recorded_at, "orders", kind, detail, trace_id=traces.get(entry.version))


def _steps(order: Order) -> Iterator[dict[str, Any]]:
    for process, entry in tries(order):
        times = f", {entry['tries']} tries" if entry["tries"] > 1 else ""
        detail = f": {entry['detail']}" if entry["detail"] else ""
        told = f"{entry['action']} {entry['result']}{times}{detail}"
        at = datetime.fromisoformat(entry["at"])
        yield _moment(at, "orders", f"saga.{process}.{entry['step']}", told, trace_id=entry.get("trace"))


def _elsewhere(order_id: UUID) -> Iterator[dict[str, Any]]:
    for paid in resolve(PAYMENTS).history(order_id=order_id):
        yield _moment(paid.at, "payments", paid.kind, paid.detail, trace_id=paid.trace_id)
    for held in resolve(INVENTORY).history(order_id=order_id):
        yield _moment(held.at, "inventory", held.kind, held.detail, trace_id=held.trace_id)


def _moment(at: datetime, source: str, kind: str, detail: str, *, trace_id: str | None = None) -> dict[str, Any]:
    moment = {"at": at, "source": source, "kind": kind, "detail": detail}
    return moment if trace_id is None else {**moment, "trace_id": trace_id}
