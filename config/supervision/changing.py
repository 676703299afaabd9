"""
From one set of processes to another while they run: what is the same goes on, what is not is stopped, what is new
started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from config.supervision.processes import KeptAlive, Plan
from config.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to run. Servers of our own are named by the groups of ``base``, whoever is in them by now."""

    plan: Plan
    environ: Mapping[str, str]
    base: Topology


def stop_together(processes: Sequence[KeptAlive], *, hurry: Callable[[], bool]) -> None:
    """In reverse, those of one role at the same time."""
    for _role, members in groupby(reversed(processes), key=lambda kept: kept.spec.role):
        together = list(members)
        for kept in together:
            kept.ask_to_stop()
        for kept in together:
            kept.end(hurry=hurry)


def hosts_of(processes: Sequence[KeptAlive], domain: str) -> list[KeptAlive]:
    """Those that run the domain's code; the gateway only knows where it is."""
    return [kept for kept in processes if domain in kept.spec.domains and kept.spec.door != "front"]


def replace(
    processes: Sequence[KeptAlive], wanted: Sequence[KeptAlive], *, hurry: Callable[[], bool]
) -> tuple[list[KeptAlive], list[KeptAlive]]:
    """
    Stop what is not wanted any more, or not like this. The answer is all that is wanted, and of it what is to be
    started.

    One that goes on is the old one; it is told where it can be told of changes.
    """
    before = {kept.spec.name: kept for kept in processes}
    staying = {kept.spec.name: old for kept in wanted if (old := before.get(kept.spec.name)) and old.is_like(kept)}
    stop_together([kept for kept in processes if kept.spec.name not in staying], hurry=hurry)
    for kept in wanted:
        if old := staying.get(kept.spec.name):
            old.become(kept)
    crew = [staying.get(kept.spec.name, kept) for kept in wanted]
    return crew, [kept for kept in crew if kept.spec.name not in staying]
