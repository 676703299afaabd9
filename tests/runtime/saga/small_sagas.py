"""
A process whose steps answer as a plan says, and leave their marks: each try in inventory's schema, each effect that
happens once for its key in payments', and what is written in the process's own transaction in orders'.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from contracts._base import Rejected, Unavailable
from runtime.saga.definition import Outcome, Saga, Step
from runtime.saga.run import Run
from tests import effects


class Refused(Rejected):
    """This step does not want to."""

    code = "refused"


PLAN: dict[str, list[Any]] = {}
"""By step and action, as in ``pay.do``: what it does each time, and after that it succeeds. An exception is raised, a
function is called with the run, anything else is the answer."""

_NAMED = {"refuse": lambda: Refused("not today", skus=["a"]), "unavailable": lambda: Unavailable("away")}

for name, answers in json.loads(os.environ.get("SMALL_SAGA_PLAN", "{}")).items():
    PLAN[name] = [_NAMED[answer]() for answer in answers]


def act(step: str, action: str, *, marks: str = "payments") -> Callable[[Run], Outcome]:
    name = f"{step}.{action}"

    def perform(run: Run) -> Outcome:
        effects.leave("inventory", name)
        planned = PLAN.get(name) or [None]
        answer = planned.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = answer(run)
        if answer is None and marks == "payments":
            effects.leave_once("payments", f"{run.key(step)}.{action}")
        elif answer is None:
            effects.leave(marks, name)
        return answer

    return perform


def note_undone(run: Run) -> None:
    act("all", "undone", marks="orders")(run)


STEPS = (
    Step(name="ask", do=act("ask", "do")),
    Step(name="hold", do=act("hold", "do"), undo=act("hold", "undo")),
    Step(name="pay", do=act("pay", "do"), undo=act("pay", "undo"), inquire=act("pay", "inquire"), pivot=True),
    Step(name="send", do=act("send", "do")),
    Step(name="book", do=act("book", "do", marks="orders"), local=True),
)


class Trip(Saga):
    name = "test.trip"
    domain = "orders"
    deadline = 60.0
    steps = STEPS
    undone = note_undone


class Endless(Saga):
    """Without deadline, pivot, undo or anything to write at its end."""

    name = "test.endless"
    domain = "orders"
    steps = (Step(name="ask", do=act("ask", "do")), Step(name="send", do=act("send", "do")))


class Errand(Saga):
    """Only forward, and an operator may give it up."""

    name = "test.errand"
    domain = "orders"
    steps = (Step(name="send", do=act("send", "do")),)
    can_be_given_up = True


class Hasty(Saga):
    """Its second step has a deadline of its own."""

    name = "test.hasty"
    domain = "orders"
    steps = (
        Step(name="ask", do=act("ask", "do")),
        Step(name="hold", do=act("hold", "do"), undo=act("hold", "undo"), deadline=30.0),
    )
