"""Who may ask which domain for what, and how each domain is asked: what one service knows of another, as data."""

from __future__ import annotations

from collections.abc import Mapping

from config.environment import DOMAINS
from runtime.resilience import CalleePolicy, MethodPolicy

__all__ = ["CALLERS", "EVERY", "call_policies"]

EVERY = frozenset(DOMAINS)
"""What runtime asks from wherever it runs, and the operator's commands."""
_ORDERS = frozenset({"orders"})

CALLERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "users": {
        "authenticate": EVERY,
        "overview": EVERY,
        "session": EVERY,
        "unheard": EVERY,
        "validate": _ORDERS,
    },
    "inventory": {
        "audit": EVERY,
        "history": _ORDERS,
        "overview": EVERY,
        "quote": _ORDERS,
        "release": _ORDERS,
        "reserve": _ORDERS,
        "unheard": EVERY,
    },
    "payments": {
        "audit": EVERY,
        "capture": _ORDERS,
        "charge": _ORDERS,
        "history": _ORDERS,
        "inquire": _ORDERS,
        "overview": EVERY,
        "provider_entries": EVERY,
        "refund": _ORDERS,
        "unheard": EVERY,
        "void": _ORDERS,
    },
    "orders": {
        "audit": EVERY,
        "overview": EVERY,
        "unheard": EVERY,
    },
}
"""By callee and method: the domains that may ask. What stands nowhere is asked by nobody."""

_LOOK = MethodPolicy(seconds=2.0, reads=True)
"""A read that somebody waits for."""
_GLANCE = MethodPolicy(seconds=2.0, tries=1, reads=True)
"""A domain's figures, for a page that goes on without them."""
_BOOKS = MethodPolicy(seconds=30.0, reads=True)
"""A page of an audit: for a command, which has the time."""
_ACT = MethodPolicy(seconds=2.5)
"""Asked again with the same key; leaves some of an order's three seconds for that."""


def call_policies(*, places: int, provider_seconds: float) -> dict[str, CalleePolicy]:
    """``provider_seconds``: how long payments itself waits for its provider, and so whoever asks payments."""
    money = MethodPolicy(seconds=provider_seconds + 1.0, tries=2)
    return {
        # A password is hashed slowly on purpose.
        "users": CalleePolicy(
            places=places,
            every=_ACT,
            methods={
                "authenticate": MethodPolicy(seconds=5.0, reads=True),
                "overview": _GLANCE,
                **dict.fromkeys(("get", "session", "unheard", "validate"), _LOOK),
            },
        ),
        "inventory": CalleePolicy(
            places=places,
            every=_ACT,
            methods={
                "audit": _BOOKS,
                "overview": _GLANCE,
                **dict.fromkeys(("history", "quote", "unheard"), _LOOK),
            },
        ),
        "payments": CalleePolicy(
            places=places,
            every=money,
            methods={
                "audit": _BOOKS,
                "overview": _GLANCE,
                "provider_entries": _BOOKS,
                **dict.fromkeys(("history", "unheard"), _LOOK),
            },
        ),
        "orders": CalleePolicy(
            places=places,
            every=_ACT,
            methods={"audit": _BOOKS, "overview": _GLANCE, **dict.fromkeys(("get", "unheard"), _LOOK)},
        ),
    }
