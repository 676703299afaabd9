"""What a change means to those who rely on a contract, and the sentence that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from runtime.compatibility.values import Change

COMMIT = "run manage.py contracts snapshot and commit it"


class Verdict(IntEnum):
    """The greater, the worse. VERSIONED: told as another version, which each consumer has to know first."""

    COMPATIBLE = 0
    VERSIONED = 1
    BREAKING = 2

    @property
    def label(self) -> str:
        return ("compatible", "new version", "BREAKING")[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One change. ``advice`` says what to do next."""

    verdict: Verdict
    domain: str
    subject: str
    what: str
    advice: str = COMMIT

    @property
    def sentence(self) -> str:
        return f"{self.subject} {self.what}: {self.advice}"


class Role(IntEnum):
    """
    How a value crosses. TOLD by an event: read by consumers that are older, and, since it stays in streams and
    outboxes, by code that is newer. ANSWERED: read by callers. ASKED with: written by callers.
    """

    TOLD = 0
    ANSWERED = 1
    ASKED = 2


@dataclass(frozen=True, slots=True)
class Use:
    """Where a value crosses: the event or the method. ``raised_to`` is the event's new version, if it has one."""

    role: Role
    name: str
    raised_to: int | None = None

    def verdict(self, change: Change) -> Verdict:
        if self.raised_to is not None:
            return Verdict.VERSIONED
        breaks = {
            Role.TOLD: change.breaks_readers or change.breaks_writers,
            Role.ANSWERED: change.breaks_readers,
            Role.ASKED: change.breaks_writers,
        }
        return Verdict.BREAKING if breaks[self.role] else Verdict.COMPATIBLE


def judge(change: Change, uses: Sequence[Use], *, domain: str) -> Difference:
    """The strictest verdict of all uses of the value that changed, and what those uses call for."""
    by_use: Mapping[Use, Verdict] = {use: use.verdict(change) for use in uses}
    verdict = max(by_use.values())
    worst = [use for use, found in by_use.items() if found is verdict]
    advice = {Verdict.BREAKING: _repair(change, worst), Verdict.VERSIONED: _belongs(worst)}.get(verdict, COMMIT)
    return Difference(verdict=verdict, domain=domain, subject=change.subject, what=change.what, advice=advice)


def _repair(change: Change, uses: Sequence[Use]) -> str:
    if change.remedy and any(use.role is Role.ASKED for use in uses):
        return change.remedy
    parts = []
    for role in Role:
        names = _listed([use.name for use in uses if use.role is role])
        if names and role is Role.TOLD:
            or_else = f"{change.remedy}, or " if change.remedy else ""
            parts.append(f"{or_else}raise the version of {names} and keep an upcaster")
        elif names and role is Role.ANSWERED:
            parts.append(f"leave it as it was for those who call {names}, and put what is new beside it")
        elif names:
            parts.append(f"go on taking what those who call {names} send today")
    return "; ".join(parts)


def _belongs(uses: Sequence[Use]) -> str:
    return f"it belongs to {_listed([f'version {use.raised_to} of {use.name}' for use in uses])}"


def _listed(names: Sequence[str], *, most: int = 3) -> str:
    """Some names, and how many more there are."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    *first, last = [*names[:most], *more] or [""]
    return f"{', '.join(first)} and {last}" if first else last
