"""
One run: a shop in trouble, and then in peace. What happens when is decided here, by the dice alone.

First customers, workers and the provider take turns while everything fails that may. Then the faults end, and within
a minute nothing may be left to do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.db.utils import InterfaceError, OperationalError
from psycopg2 import extensions

from contracts._base import Rejected, Unavailable
from runtime.databases.transactions import open_transactions
from runtime.eventstore.store import VersionConflict
from tests.simulation import checks, crowd
from tests.simulation.actors import Answer
from tests.simulation.clock import TICK, Clock
from tests.simulation.dice import Dice
from tests.simulation.provider import Provider
from tests.simulation.stage import Actor, PowerCut, Slot
from tests.simulation.trace import Trace
from tests.simulation.transport import Broker, relay_of

TURNS = 1_500
"""Of trouble, at the most."""

PEACE = 60.0
"""Seconds after the last fault within which everything has to be done (V2, V11)."""

CALM = 10.0
"""Seconds of peace in any case: what ended before its time is looked at again within these."""

AT_ONCE = 4
"""Scripts that are on the stage at one time; the rest of the slots is for the workers."""


class World:
    def __init__(self, seed: int, slots: list[Slot], admin: extensions.connection) -> None:
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
        self.account_closed = False
        self._is_over = False
        self._epochs: dict[str, int] = defaultdict(int)
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
        self._hand_back(actor)

    def wait(self, seconds: float) -> None:
        """The actor has nothing to do for so long."""
        assert self.actor is not None
        self.actor.wakes_at = self.now + seconds
        self._hand_back(self.actor)

    def _hand_back(self, actor: Actor) -> None:
        actor.slot.hand_back()
        if self._is_over:
            raise PowerCut("the run is over")

    def at_crashpoint(self, name: str) -> None:
        if self.actor is None:
            return
        self.pause(f"is at {name}")
        if self.fault("power cut at a webhook" if self.actor.name == "webhook" else "power cut"):
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

    def held(self, run: Any, epoch: int) -> bool:
        """A holder of this run is at work. Whether a later one was before."""
        latest = self._epochs[str(run)]
        self._epochs[str(run)] = max(latest, epoch)
        return epoch < latest

    def end(self) -> None:
        """Whoever is still there, since the run itself has failed, is gone."""
        self._is_over = True
        while self.actors:
            self._go_on(self.actors[0])

    # --- Turns ------------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        self._scripts += crowd.open_shop(self)
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
        if letter := self.provider.due_letter():
            yield 2.0, partial(self._enter, "webhook", partial(crowd.hear, self, letter))
        if len(self.actors) < len(self.slots) - 1:
            yield 0.5, partial(self._enter, "sweeper", partial(crowd.sweep, self))
            for domain in ("orders", "payments"):
                yield 0.4, partial(self._enter, f"relay {domain}", relay_of(domain, self.broker).publish_batch)
            yield 0.2, partial(self._enter, "timers", partial(crowd.look_at_timers, self))

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

    def _next_script(self) -> None:
        name, work = self._scripts.pop(0)
        self._enter(name, work, scripted=True)

    def _work_on_message(self) -> None:
        message = self.broker.take()
        self._enter(message.name, message.work, again=partial(self.broker.put, message.name, message.work))

    # --- Peace ------------------------------------------------------------------------------------------------------

    def make_peace(self) -> None:
        """Have everything done that is left to do. What is left after a minute is told as broken."""
        began = self.now
        while (left := checks.unfinished(self)) or self.now - began < CALM:
            if self.now - began > PEACE:
                self.violations.append(f"after {PEACE:g} s of peace there is left: {', '.join(left)}")
                return
            self.clock.advance(2.5)
            self._one_round()
        self.tell("the run", f"is quiet {self.now - began:g} s after the faults")

    def _one_round(self) -> None:
        self.provider.settle()
        while letter := self.provider.due_letter():
            crowd.hear(self, letter)
        crowd.sweep(self)
        crowd.look_at_timers(self)
        for domain in ("orders", "payments"):
            relay_of(domain, self.broker).publish_batch()
        while self.broker.messages:
            message = self.broker.take()
            self.tell("the run", message.name)
            message.work()
