"""
Every value that can be changed while everything runs, as data: its kind, default, bounds and meaning.

A default is this file's or the environment's. A bad change is refused, so bounds are what nobody has a reason to leave.
"""

from __future__ import annotations

from config.environment import DOMAINS
from runtime.dynconf.declared import DURATION, FLAG, WHOLE, Declared, Kind
from runtime.http.counters import parse_limit

__all__ = ["DYNAMIC_VALUES", "values_of_calls"]


def _limit(text: str) -> str:
    """The text itself, which the counters read. Raises BadLimit, a ValueError."""
    parse_limit(text)
    return text


RATE_LIMIT = Kind(name="rate limit", wanted="count/time, as in 100/15m, or off", parse=_limit)


def values_of_calls(domain: str) -> tuple[Declared, ...]:
    """How one domain is asked by the others."""
    return (
        Declared(
            key=f"calls.{domain}.timeout",
            kind=DURATION,
            default="30s",
            least="100ms",
            most="60s",
            description=f"How long one try of a call to {domain} may take, where its own time is not shorter.",
        ),
        Declared(
            key=f"calls.{domain}.retry_percent",
            kind=WHOLE,
            default="20",
            least="0",
            most="100",
            description=f"How many tries again are paid for by each hundred calls to {domain}.",
        ),
        Declared(
            key=f"calls.{domain}.breaker_failures",
            kind=WHOLE,
            default="5",
            least="1",
            most="1000",
            description=f"How many failures in a row open the breaker of calls to {domain}.",
        ),
        Declared(
            key=f"calls.{domain}.breaker_open",
            kind=DURATION,
            default="5s",
            least="100ms",
            most="10s",
            description=f"How long the breaker of calls to {domain} stays open before one call is let through to try.",
        ),
    )


DYNAMIC_VALUES: tuple[Declared, ...] = (
    Declared(
        key="orders.accepting",
        kind=FLAG,
        default="on",
        description="Whether new orders are taken. Off: POST /api/orders answers 503; what was ordered goes on.",
    ),
    Declared(
        key="orders.budget",
        kind=DURATION,
        setting="ORDER_BUDGET",
        least="0s",
        most="60s",
        description="How long a request places an order itself before a worker goes on (202).",
    ),
    Declared(
        key="limits.anonymous",
        kind=RATE_LIMIT,
        setting="RATE_LIMIT_ANONYMOUS",
        description="How often somebody who is not signed in may ask; not counted here where the setting is off.",
    ),
    Declared(
        key="limits.user",
        kind=RATE_LIMIT,
        setting="RATE_LIMIT_USER",
        description="How often a signed-in user may ask.",
    ),
    *(each for domain in DOMAINS for each in values_of_calls(domain)),
)
