"""Names and money as they look in JSON."""

from __future__ import annotations

from contracts._base import Money

__all__ = ["camel", "money_to_wire"]


def camel(name: str) -> str:
    """``unit_price`` is unitPrice on the wire."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def money_to_wire(money: Money) -> dict[str, str]:
    """A decimal string with exactly two places, and the currency."""
    return {"amount": f"{money.amount:.2f}", "currency": money.currency}
