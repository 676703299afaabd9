"""This process's guard for each neighbour, made when it is first asked, by the policy that config hands in."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

from django.conf import settings

from contracts._base import DeadlineExceeded, Unavailable
from runtime.calls.manners import CrashedService
from runtime.dynconf.calls import CallValues, call_values
from runtime.resilience import CalleePolicy, Guard, MethodPolicy, Verdict
from runtime.resilience.figures import teller

__all__ = ["forget", "guard_of"]

_guards: dict[str, Guard] = {}
_making = threading.Lock()


def guard_of(domain: str) -> Guard:
    found = _guards.get(domain)
    if found is None:
        with _making:
            found = _guards.get(domain) or _guards.setdefault(domain, _new(domain))
    return found


def forget() -> None:
    """Begin anew: every breaker closed, every place free."""
    global _making
    _making = threading.Lock()
    _guards.clear()


# A child has none of its parent's threads, so whatever they hold would be held for ever.
os.register_at_fork(after_in_child=forget)


def _new(domain: str) -> Guard:
    last: tuple[CalleePolicy, CallValues | None, CalleePolicy] | None = None

    def policy() -> CalleePolicy:
        nonlocal last
        declared: CalleePolicy = settings.CALL_POLICIES.get(domain) or CalleePolicy()
        values = call_values(domain)
        if last is None or last[0] is not declared or last[1] != values:
            last = (declared, values, _by_values(declared, values))
        return last[2]

    return Guard(name=domain, policy=policy, judge=_shown_by, tell=teller(domain))


def _by_values(declared: CalleePolicy, values: CallValues | None) -> CalleePolicy:
    """The declared policy with what operators have set meanwhile. Their time only ever shortens a method's own."""
    if values is None:
        return declared

    def within(method: MethodPolicy) -> MethodPolicy:
        return replace(method, seconds=min(method.seconds, values.timeout))

    return replace(
        declared,
        retry_percent=values.retry_percent,
        failures=values.breaker_failures,
        open_seconds=values.breaker_open,
        every=within(declared.every),
        methods={name: within(method) for name, method in declared.methods.items()},
    )


def _shown_by(error: Exception) -> Verdict:
    """A no is an answer, and whoever gives one is well. Time that was spent before says nothing of who was asked."""
    if isinstance(error, DeadlineExceeded):
        return Verdict.UNSAID
    return Verdict.ILL if isinstance(error, Unavailable | CrashedService) else Verdict.WELL
