"""
The four steps of placing an order, by the engine or straight, in a process of its own: what the engine adds is theirs
apart.

Told on its standard input, a line each, as in ``engine 500``; answers each with its own CPU seconds, and is ready when
it has said so. Started by benchmarks/engine.py with the settings of the system that it measures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import transaction

from apps.orders import repository
from apps.orders.aggregate import OrderAggregate
from apps.orders.sagas import PlaceOrder
from contracts._base import Money, new_id
from contracts.orders import CONFIRMED, OrderLine
from runtime.saga.engine import advance
from runtime.saga.models import SagaRun
from runtime.saga.run import Run
from runtime.saga.store import start

ALIAS = "orders"
BUDGET = 30.0


class NotConfirmed(RuntimeError):
    """An order that nothing stands against was not confirmed."""


def by_engine(order: OrderAggregate) -> None:
    with transaction.atomic(using=ALIAS):
        repository.save(order, expected_version=0)
        run = start(PlaceOrder, subject=order.id, data=_data(order))
    assert run is not None, "an order that is new has no process"
    advance(run, budget=BUDGET)


def straight(order: OrderAggregate) -> None:
    """The same steps in a row. Whatever happens in between, nobody goes on or undoes anything."""
    with transaction.atomic(using=ALIAS):
        repository.save(order, expected_version=0)
    run = _run(order)
    for step in PlaceOrder.steps:
        if step.local:
            with transaction.atomic(using=ALIAS):
                step.do(run)
        else:
            step.do(run)


WAYS: dict[str, Callable[[OrderAggregate], None]] = {"engine": by_engine, "straight": straight}


def main() -> None:
    user_id, items = _told(json.loads(sys.stdin.readline()))
    print("ready", flush=True)
    for line in sys.stdin:
        way, _, count = line.partition(" ")
        before = time.process_time()
        for _ in range(int(count)):
            _place(WAYS[way], user_id, items)
        print(time.process_time() - before, flush=True)


def _place(way: Callable[[OrderAggregate], None], user_id: UUID, items: tuple[OrderLine, ...]) -> None:
    order = OrderAggregate(id=new_id())
    total = sum((line.unit_price * line.quantity for line in items), Money.zero(items[0].unit_price.currency))
    order.create(user_id=user_id, items=items, total=total)
    way(order)
    if repository.load(order.id).status != CONFIRMED:
        raise NotConfirmed(f"order {order.id} went wrong: see its timeline")


def _told(words: dict[str, Any]) -> tuple[UUID, tuple[OrderLine, ...]]:
    price = Money.parse(words["price"]["amount"], words["price"]["currency"])
    items = tuple(OrderLine(sku=sku, name=sku, quantity=1, unit_price=price) for sku in words["skus"])
    return UUID(words["user_id"]), items


def _data(order: OrderAggregate) -> dict[str, Any]:
    return {"userId": str(order.user_id), "paymentMethod": "pm_card_visa", "capture": "order"}


def _run(order: OrderAggregate) -> Run:
    """What a step asks of a run, without a row behind it."""
    now = datetime.now(UTC)
    return Run(
        id=new_id(),
        definition=PlaceOrder.name,
        version=PlaceOrder.version,
        subject=order.id,
        state=SagaRun.RUNNING,
        step=0,
        inquiring=False,
        data=_data(order),
        log=[],
        refusal=None,
        epoch=1,
        lease_until=now,
        deadline_at=None,
        step_at=now,
        attempts=0,
        due_at=now,
        read_at=now,
    )


if __name__ == "__main__":
    main()
