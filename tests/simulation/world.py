"""
One run: a shop in trouble, and then in peace. What happens when is decided here, by the dice alone.

First customers, workers and the provider take turns while everything fails that may. Then the faults end, and within
a minute nothing may be left to do.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.utils import InterfaceError, OperationalError
from psycopg2.extensions import connection as Connection

import contracts._base
import runtime.calls.context
import runtime.messaging.inbox
import runtime.messaging.relay
import runtime.saga.engine
import runtime.saga.run
from apps.inventory.service import SERVICE as INVENTORY
from apps.payments import service as payments
from apps.users.service import SERVICE as USERS
from contracts._base import Money, Rejected, Unavailable
from runtime.calls import routing
from runtime.databases.transactions import open_transactions
from runtime.eventstore.store import VersionConflict
from runtime.messaging import inbox
from runtime.saga import sweeper
from runtime.telemetry import crashpoints
from tests.simulation import checks, wires
from tests.simulation.actors import SKUS, Answer, customer, scripts_of
from tests.simulation.clock import TICK, Clock, Noise
from tests.simulation.dice import Dice
from tests.simulation.provider import Letter, Provider
from tests.simulation.stage import Actor, PowerCut, Slot
from tests.simulation.trace import Trace
from tests.simulation.transport import Broker, reconciler_of, relay_of

TURNS = 1_500
"""Of trouble, at the most."""

PEACE = 60.0
"""Seconds after the last fault within which everything has to be done (V2, V11)."""

AT_ONCE = 4
"""Scripts that are on the stage at one time; the rest of the slots is for the workers."""


@dataclass(frozen=True)
class Result:
    """``broken`` is empty where all went well. ``met`` counts faults, ``died`` the deaths at each crash point,
    ``ends`` how the orders ended."""

    seed: int
    broken: list[str]
    trace: list[str]
    met: Counter[str]
    died: Counter[str]
    ends: Counter[str]
    seconds: float


class World:
    def __init__(self, seed: int, slots: list[Slot], admin: Connection) -> None:
        self.seed, self.dice, self.trace = seed, Dice(seed), Trace()
        self.clock = Clock(admin)
        self.slots, self.admin = slots, admin
        self.actors: list[Actor] = []
        self.actor: Actor | None = None
        self.answers: list[Answer] = []
        self.violations: list[str] = []
        self.died: Counter[str] = Counter()
        self.fences: dict[str, dict[UUID, int]] = defaultdict(dict)
        self.provider, self.broker = Provider(self), Broker(self)
        self.customers: list[Any] = []
        self._scripts: list[tuple[str, Callable[[], None]]] = []

    @property
    def now(self) -> float:
        return self.clock.now

    # --- What actors and their surroundings say ---------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        self.trace.line(self.now, who, what)

    def tell_fault(self, what: str) -> None:
        if self.actor is not None:
            self.tell(self.actor.name, f"* {what}")

    def broken(self, what: str) -> None:
        """Something happened that may not."""
        self.violations.append(self.trace.plain(what))
        self.tell(self.actor.name if self.actor else "the run", f"BROKEN: {what}")

    def fault(self, name: str) -> bool:
        """Whether this fault happens to the actor whose turn it is."""
        if self.actor is None or self.actor.dead or not self.dice.fault(name):
            return False
        self.tell_fault(name)
        return True

    def pause(self, at: str) -> None:
        """Others may have their turn now; unless the actor holds locks."""
        actor = self.actor
        if actor is None or actor.dead or open_transactions():
            return
        self.tell(actor.name, at)
        if self.fault("holder sleeps"):
            actor.wakes_at = self.now + self.dice.between(20.5, 45)
        actor.slot.hand_back()

    def wait(self, seconds: float) -> None:
        """The actor has nothing to do for so long."""
        assert self.actor is not None
        self.actor.wakes_at = self.now + seconds
        self.actor.slot.hand_back()

    def at_crashpoint(self, name: str) -> None:
        if self.actor is None:
            return
        self.pause(f"is at {name}")
        if self.fault("power cut"):
            self.died[name] += 1
            if self.fault("nobody comes for a dead one"):
                self.clock.advance(self.dice.between(900, 1000))
            self.actor.dead = True
            raise PowerCut(name)

    def served(self, what: str, call: Callable[[], Any]) -> Any:
        """What a customer is answered: a value, a refusal, or (None) nothing, and then it may have been done."""
        assert self.actor is not None
        self.pause(f"asks to {what}")
        try:
            answer = call()
        except PowerCut:
            self.actor.dead = False
            self.tell(self.actor.name, "hears nothing: whoever served it is gone")
            return None
        except Rejected as refusal:
            answer = refusal
        except (Unavailable, OperationalError, InterfaceError, VersionConflict) as error:
            self.tell(self.actor.name, f"is told to come again: {type(error).__name__}")
            return None
        except Exception as error:
            self.broken(f"{what}: {type(error).__name__}: {error}")
            return None
        if self.fault("customer's answer is lost"):
            return None
        status = getattr(getattr(answer, "order", answer), "status", type(answer).__name__)
        self.tell(self.actor.name, f"is answered: {status}")
        return answer

    # --- Turns ------------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        self._open_shop()
        for _ in range(TURNS):
            if not self._scripts and not any(actor.scripted for actor in self.actors):
                break
            self._jump()
            self._turn()
        self.dice.faults_are_over = True
        self.tell("the run", "the faults are over")
        for actor in self.actors:
            actor.wakes_at = 0.0
        while self._scripts or self.actors:
            self._turn()

    def _turn(self) -> None:
        """One decision: who goes on, or who comes in, or that time passes."""
        self.clock.advance(TICK)
        self.provider.settle()
        awake = [actor for actor in self.actors if actor.wakes_at <= self.now]
        choices: list[tuple[float, Callable[[], None]]] = [(4.0, partial(self._go_on, actor)) for actor in awake]
        if len(self.actors) < len(self.slots):
            choices += self._newcomers()
        choices.append((0.5 if awake else 2.0, self._let_time_pass))
        weights = [weight for weight, _ in choices]
        self.dice.pick([choice for _, choice in choices], weights)()

    def _newcomers(self) -> Iterator[tuple[float, Callable[[], None]]]:
        if self._scripts and sum(actor.scripted for actor in self.actors) < AT_ONCE:
            yield 2.0, self._next_script
        if self.broker.messages:
            yield 3.0, self._work_on_message
        if letter := self._due_letter():
            yield 2.0, partial(self._enter, "webhook", partial(self._hear, letter))
        if len(self.actors) < len(self.slots) - 1:
            yield 0.7, partial(self._enter, "sweeper", self._sweep)
            for domain in ("orders", "payments"):
                yield 0.7, partial(self._enter, f"relay {domain}", relay_of(domain, self.broker).publish_batch)
            yield 0.2, partial(self._enter, "timers", self._timers)

    def _go_on(self, actor: Actor) -> None:
        self.actor = actor
        actor.slot.turn()
        self.actor = None
        if actor.done:
            self.actors.remove(actor)

    def _enter(self, name: str, work: Callable[[], Any], *, scripted: bool = False, again: Any = None) -> None:
        slot = next(slot for slot in self.slots if slot.actor is None)
        actor = slot.play(name, partial(self._play, work, again), scripted=scripted)
        self.actors.append(actor)
        self._go_on(actor)

    def _play(self, work: Callable[[], Any], again: Callable[[], None] | None) -> None:
        assert self.actor is not None
        name = self.actor.name
        try:
            work()
        except PowerCut:
            self.tell(name, "is gone")
            if again is not None:
                again()
        except (OperationalError, InterfaceError, Unavailable) as error:
            self.tell(name, f"gives up: {type(error).__name__}")
            if again is not None:
                again()
        except Exception as error:
            self.broken(f"{name}: {type(error).__name__}: {error}")

    def _let_time_pass(self) -> None:
        self.clock.advance(self.dice.between(0.05, 3))

    def _jump(self) -> None:
        jumps = {
            "clock jumps past a lease": (20, 30),
            "clock jumps past a step": (60, 120),
            "clock jumps past the process": (900, 1000),
        }
        for name, (least, most) in jumps.items():
            if self.dice.fault(name):
                self.clock.advance(self.dice.between(least, most))
                self.tell("the run", name)

    # --- Who comes in -----------------------------------------------------------------------------------------------

    def _open_shop(self) -> None:
        for sku, (units, price) in SKUS.items():
            money = Money.parse(price, "GBP")
            INVENTORY.add_product(sku=sku, name=sku, description="", price=money, active=True)
            INVENTORY.open_stock(key="opening", sku=sku, quantity=units)
        user_id = contracts._base.new_id()
        USERS.import_account(user_id=user_id, email="customer@example.com", name="A customer")
        self.trace.call(user_id, "user")
        for number in range(1, self.dice.number(3, 5) + 1):
            one = customer(self, number, user_id)
            self.customers.append(one)
            lines = ", ".join(f"{line.quantity} {line.sku}" for line in one.wish.lines)
            self.tell("the run", f"customer {number} wants {lines} with {one.wish.payment_method}, to {one.fate}")
            self._scripts += scripts_of(one)

    def _next_script(self) -> None:
        name, work = self._scripts.pop(0)
        self._enter(name, work, scripted=True)

    def _work_on_message(self) -> None:
        message = self.broker.take()
        again = partial(self.broker.put, message.name, message.work)
        self._enter(message.name, message.work, again=again)

    def deliver(self, envelope: Any, consumer: str) -> None:
        name = f"{envelope.event_type} of {self.trace.call(envelope.subject, 'subject')} to {consumer}"
        self.broker.put(name, partial(inbox.receive, envelope, consumer=consumer))

    def _sweep(self) -> None:
        def nudge(run_id: UUID) -> None:
            name = f"worker of {self.trace.call(run_id, 'process')}"
            self.broker.nudge(name, partial(sweeper.resume, run_id, domain="orders"))

        sweeper.sweep(domain="orders", nudge=nudge)

    def _timers(self) -> None:
        for consumer in ("orders", "inventory"):
            inbox.wake(consumer=consumer)
            for turn in inbox.take_due(consumer=consumer, limit=100):
                self.broker.nudge(f"again to {consumer}", partial(inbox.retry, turn, consumer=consumer))
        payments.SERVICE.retry_refunds()
        payments.SERVICE.look_again()
        for domain in ("orders", "payments"):
            reconciler_of(domain, self.broker).compare()

    def _due_letter(self) -> Letter | None:
        due = [letter for letter in self.provider.letters if letter.due <= self.now or self.dice.faults_are_over]
        return due[0] if due else None

    def _hear(self, letter: Letter) -> None:
        """Sent until it is taken in."""
        payments.SERVICE.webhook(provider="testers", body=letter.key.encode(), headers={"Event": letter.event_id})
        if letter in self.provider.letters:
            self.provider.letters.remove(letter)

    # --- Peace ------------------------------------------------------------------------------------------------------

    def make_peace(self) -> None:
        """Have everything done that is left to do. What is left after a minute is told as broken."""
        began = self.now
        while left := checks.unfinished(self):
            if self.now - began > PEACE:
                self.violations.append(f"after {PEACE:g} s of peace there is left: {', '.join(left)}")
                return
            self.clock.advance(2.5)
            self._one_round()
        self.tell("the run", f"is quiet {self.now - began:g} s after the faults")

    def _one_round(self) -> None:
        self.provider.settle()
        while letter := self._due_letter():
            self._hear(letter)
        self._sweep()
        self._timers()
        for domain in ("orders", "payments"):
            relay_of(domain, self.broker).publish_batch()
        while self.broker.messages:
            message = self.broker.take()
            self.tell("the run", message.name)
            message.work()


# --- A run from outside ---------------------------------------------------------------------------------------------


def run(seed: int, slots: list[Slot], admin: Connection) -> Result:
    """The databases are emptied first, and left as the run left them."""
    began = time.perf_counter()
    _empty(admin)
    world = World(seed, slots, admin)
    with _in_place(world):
        try:
            world.perform()
            world.make_peace()
            broken = [*world.violations, *checks.broken(world)]
            ends = checks.ends()
        except Exception:  # whatever it was, this seed leads to it
            broken = [*world.violations, world.trace.plain(traceback.format_exc())]
            ends = Counter()
    return Result(seed, broken, world.trace.lines, world.dice.met, world.died, ends, time.perf_counter() - began)


_TABLES = """
SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = ANY(%s) AND tablename <> 'django_migrations' ORDER BY 1
"""


def _empty(admin: Connection) -> None:
    with admin.cursor() as cursor:
        cursor.execute(_TABLES, [["users", "inventory", "payments", "orders"]])
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables))
        if used := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE")


@contextmanager
def _in_place(world: World) -> Iterator[None]:
    """The run's clock, dice, provider and wires, where the product looks for its own."""
    noise = Noise(world.dice)
    replaced: list[tuple[Any, str, Any]] = [
        (contracts._base, "time", world.clock),
        (contracts._base, "os", noise),
        (runtime.calls.context, "time", world.clock),
        (runtime.saga.run, "time", world.clock),
        (runtime.messaging.relay, "time", world.clock),
        (runtime.saga.engine, "random", noise),
        (runtime.messaging.inbox, "random", noise),
        (settings, "SERVICES", wires.SERVICES),
        (settings, "PAYMENT_PROVIDER", "testers"),
        (settings, "PAYMENT_CAPTURE", world.dice.pick(("order", "shipment"), (2, 1))),
        (settings, "PROVIDER_WAITERS", 50),
        (payments, "GATEWAYS", {"testers": lambda: world.provider}),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in replaced]
    for where, name, value in replaced:
        setattr(where, name, value)
    payments.SERVICE.__dict__.pop("_provider", None)
    routing._client.cache_clear()
    listener = crashpoints.listen(world.at_crashpoint)
    wires.Wire.world = world
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        wires.Wire.world = None
        crashpoints.listen(listener)
        for where, name, value in before:
            setattr(where, name, value)
        payments.SERVICE.__dict__.pop("_provider", None)
        routing._client.cache_clear()
