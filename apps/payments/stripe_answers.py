"""Stripe's words for money, both ways: whole minor units and lower-case currencies. Anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.payments.gateways import Entry
from contracts._base import Money

CAPTURE, REFUND = "capture", "refund"

NOT_HUNDREDTHS = frozenset(
    {"BHD", "BIF", "CLP", "DJF", "GNF", "HUF", "ISK", "JOD", "JPY", "KMF", "KRW", "KWD", "MGA", "OMR", "PYG", "RWF"}
    | {"TND", "TWD", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
"""Currencies that Stripe counts in other parts than hundredths, or rounds in a way of its own."""


def in_minor_units(money: Money) -> int:
    """Raises ValueError for a currency that is not counted in hundredths."""
    if money.currency in NOT_HUNDREDTHS:
        raise ValueError(f"{money.currency} is not counted in hundredths: Stripe cannot be asked for {money}")
    return int(money.amount * 100)


def read_money(units: object, currency: object) -> Money:
    """Raises TypeError or ValueError (InvalidMoney too) for what is no amount of money."""
    if not isinstance(units, int) or isinstance(units, bool) or not isinstance(currency, str):
        raise TypeError(f"{units!r} {currency!r} is no amount of money")
    if currency.upper() in NOT_HUNDREDTHS:
        raise ValueError(f"{currency} is not counted in hundredths")
    return Money(Decimal(units).scaleb(-2), currency.upper())


def amount_of(row: Mapping[str, Any], field: str) -> Money:
    return read_money(row[field], row["currency"])


def entry_of_capture(intent: Mapping[str, Any]) -> Entry | None:
    """None where no money moved. ``made_at``: when it moved, where Stripe tells, else when it was first wanted."""
    if not intent["amount_received"]:
        return None
    charge = intent.get("latest_charge")
    moved = charge.get("balance_transaction") if isinstance(charge, dict) else None
    made_at = moved["created"] if isinstance(moved, dict) else intent["created"]
    return _entry(intent, CAPTURE, amount_of(intent, "amount_received"), made_at)


def entry_of_refund(refund: Mapping[str, Any]) -> Entry | None:
    if refund["status"] != "succeeded":
        return None
    return _entry(refund, REFUND, amount_of(refund, "amount"), refund["created"])


def _entry(row: Mapping[str, Any], kind: str, amount: Money, made_at: Any) -> Entry:
    return Entry(
        reference=str(row["id"]),
        key=str((row.get("metadata") or {}).get("key", "")),
        kind=kind,
        amount=amount,
        made_at=datetime.fromtimestamp(made_at, tz=UTC),
    )
