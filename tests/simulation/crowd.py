"""Who comes into the shop: customers, and the workers and timers that a deployment has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from apps.inventory.service import SERVICE as INVENTORY
from apps.payments.service import SERVICE as PAYMENTS
from apps.users.models import User
from apps.users.service import SERVICE as USERS
from contracts._base import Money, new_id
from runtime.messaging import inbox
from runtime.saga import sweeper
from tests.simulation.actors import SKUS, customer, scripts_of
from tests.simulation.provider import Letter
from tests.simulation.transport import reconciler_of


def open_shop(world: Any) -> list[tuple[str, Callable[[], None]]]:
    """Products on the shelves, and the name and the work of each who wants something of them."""
    for sku, (units, price) in SKUS.items():
        INVENTORY.add_product(sku=sku, name=sku, description="", price=Money.parse(price, "GBP"), active=True)
        INVENTORY.open_stock(key="opening", sku=sku, quantity=units)
    user_id = new_id()
    USERS.import_account(user_id=user_id, email="customer@example.com", name="A customer")
    world.trace.call(user_id, "user")
    scripts: list[tuple[str, Callable[[], None]]] = []
    for number in range(1, world.dice.number(2, 4) + 1):
        one = customer(world, number, user_id)
        world.customers.append(one)
        lines = ", ".join(f"{line.quantity} {line.sku}" for line in one.wish.lines)
        world.tell("the run", f"customer {number} wants {lines} with {one.wish.payment_method}, to {one.fate}")
        scripts += scripts_of(one)
    if world.dice.chance(0.15):
        scripts.append(("the customer", partial(_close_account, world, user_id)))
    return scripts


def _close_account(world: Any, user_id: UUID) -> None:
    """Whoever has ordered may be gone before the order is through."""
    world.wait(world.dice.between(0, 30))
    world.account_closed = True
    world.tell("the customer", "closes the account")
    User.objects.using("users").filter(pk=user_id).update(active=False)


def sweep(world: Any) -> None:
    """As the relay process does: a worker is nudged for each run that is due."""

    def nudge(run_id: UUID, epoch: int) -> None:
        name = f"worker of {world.trace.call(run_id, 'process')}"
        world.broker.nudge(name, partial(sweeper.resume, run_id, domain="orders", after=epoch))

    sweeper.sweep(domain="orders", nudge=nudge)


def look_at_timers(world: Any) -> None:
    """As the relay process does, and the timers of the domains."""
    for consumer in ("orders", "inventory"):
        inbox.wake(consumer=consumer)
        for turn in inbox.take_due(consumer=consumer, limit=100):
            world.broker.nudge(f"again to {consumer}", partial(inbox.retry, turn, consumer=consumer))
    PAYMENTS.retry_refunds()
    PAYMENTS.look_again()
    for domain in ("orders", "payments"):
        reconciler_of(domain, world.broker).compare()


def hear(world: Any, letter: Letter) -> None:
    """A webhook is sent until it is taken in."""
    PAYMENTS.webhook(provider="testers", body=letter.key.encode(), headers={"Event": letter.event_id})
    if letter in world.provider.letters:
        world.provider.letters.remove(letter)
