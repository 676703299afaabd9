"""
The catalogue as a file: what its columns are, what a file would change, and changing that, all of it or nothing.

A file says of each product in it what it should be. A column that is left out leaves what is there; stock is no part of
it (``onHand`` and ``available`` are for reading).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import connections

from apps.inventory.models import Product, Stock
from contracts._base import InvalidMoney, Money, Rejected
from runtime.codec.sheets import Fault, Row, read

ALIAS = "inventory"

SKU = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
COLUMNS = ("sku", "name", "description", "price", "currency", "active", "onHand", "available")
MOST_LINES = 5_000
MOST_BYTES = 2 * 1024 * 1024
LONGEST_NAME, LONGEST_DESCRIPTION = 200, 5_000

_FIELDS = ("name", "description", "price", "active")
_OF_A_NEW_ONE = ("name", "price")
_LINE = re.compile(r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*")
_LINES = re.compile(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]*")


class ChangedMeanwhile(Rejected):
    """
    Somebody else changed or added these products since the file was checked: check it again.

    ``data["skus"]`` names up to twenty of them.
    """

    code: ClassVar[str] = "changed_meanwhile"


@dataclass(slots=True, kw_only=True)
class Plan:
    """
    What a file would do. Of a new product all its fields; of a changed one ``from`` and ``to`` of those that change,
    and ``seen``, which tells later whether it is still what it was.
    """

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)


def cells_of(product: Product, stock: Stock) -> tuple[object, ...]:
    """A product's line in a file."""
    active = "true" if product.active else "false"
    price, currency = product.price_amount, product.price_currency
    return (
        product.sku, product.name, product.description, price, currency, active, stock.on_hand, stock.available
    )  # fmt: skip


# --- Checking a file ------------------------------------------------------------------------------------------------


class _Wrong(Exception):
    """What is wrong with a cell, as a part of a sentence."""


def check(data: bytes) -> Plan:
    """What this file would do now. Changes nothing."""
    if len(data) > MOST_BYTES:
        return Plan(faults=[Fault(line=1, column="", why=f"begins a file of more than {MOST_BYTES:,} bytes: split it")])
    rows, faults = read(data, columns=COLUMNS, needed=["sku"], most_rows=MOST_LINES)
    plan = Plan(faults=faults)
    known = _known(row.cells["sku"] for row in rows)
    first: dict[str, int] = {}
    for row in rows:
        sku = row.cells["sku"]
        if sku in first:
            plan.faults.append(Fault(line=row.line, column="sku", why=f"{sku} stands in line {first[sku]} already"))
            continue
        first[sku] = row.line
        _check_row(row, known.get(sku), plan)
    plan.faults.sort(key=lambda fault: fault.line)
    return plan


def _known(skus: Iterable[str]) -> dict[str, Product]:
    # No sku is longer, and PostgreSQL takes no NUL.
    asked = [sku for sku in skus if len(sku) <= 64 and "\0" not in sku]
    return {row.sku: row for row in Product.objects.using(ALIAS).filter(sku__in=asked).defer("search")}


def _check_row(row: Row, product: Product | None, plan: Plan) -> None:
    now = _values(product) if product else {}
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    if product is None and not re.fullmatch(SKU, row.cells["sku"]):
        why = f"{row.cells['sku'][:40]!r} is not 1 to 64 letters, digits, dots, dashes or underscores"
        faults.append(Fault(line=row.line, column="sku", why=why))
    for name, rule in _RULES.items():
        try:
            if name in row.cells and not (product and _same(row.cells[name], now[name])):
                values[name] = rule(row.cells[name])
            elif product is None and name in _OF_A_NEW_ONE:
                raise _Wrong("is missing, and the product is new")
        except _Wrong as wrong:
            faults.append(Fault(line=row.line, column=name, why=str(wrong)))
    if product and product.price_currency != settings.SHOP_CURRENCY and values.keys() & {"price", "currency"}:
        why = f"is {product.price_currency} there, which no file changes"
        faults.append(Fault(line=row.line, column="currency", why=why))
    values.pop("currency", None)
    plan.faults += faults
    changes = {name: value for name, value in values.items() if value != now.get(name)}
    if faults:
        return
    if product is None:
        plan.new.append({"sku": row.cells["sku"], "description": "", "active": True, **values})
    elif changes:
        before = {name: now[name] for name in changes}
        plan.changed.append({"sku": product.sku, "seen": _seen(product), "from": before, "to": changes})
    else:
        plan.unchanged += 1


def _values(product: Product) -> dict[str, Any]:
    return {
        "name": product.name,
        "description": product.description,
        "price": str(product.price_amount),
        "currency": product.price_currency,
        "active": product.active,
    }


def _same(cell: str, value: object) -> bool:
    """Whether the cell says what is there; a spreadsheet may write line breaks and true in a way of its own."""
    if isinstance(value, bool):
        return cell.strip().lower() == str(value).lower()
    return cell == value or _one_kind_of_breaks(cell) == _one_kind_of_breaks(str(value))


def _one_kind_of_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _name(cell: str) -> str:
    return _text(cell, longest=LONGEST_NAME, pattern=_LINE, least=1)


def _description(cell: str) -> str:
    return _text(cell, longest=LONGEST_DESCRIPTION, pattern=_LINES, least=0)


def _text(cell: str, *, longest: int, pattern: re.Pattern[str], least: int) -> str:
    text = cell.strip()
    if len(text) < least:
        raise _Wrong("is empty")
    if len(text) > longest:
        raise _Wrong(f"has {len(text):,} characters, and {longest:,} are the most")
    if not pattern.fullmatch(text):
        raise _Wrong("has a control character or a line break in it")
    return text


def _price(cell: str) -> str:
    try:
        money = Money.parse(cell.strip(), settings.SHOP_CURRENCY)
    except InvalidMoney:
        raise _Wrong(f"{cell[:40]!r} is not an amount with at most two decimals, as in 12.50") from None
    if money.amount <= 0:
        raise _Wrong("is less than 0.01")
    return f"{money.amount:.2f}"


def _currency(cell: str) -> str:
    if cell.strip() != settings.SHOP_CURRENCY:
        raise _Wrong(f"{cell[:40]!r} is not {settings.SHOP_CURRENCY}, the shop's currency")
    return str(settings.SHOP_CURRENCY)


def _active(cell: str) -> bool:
    if cell.strip().lower() not in {"true", "false"}:
        raise _Wrong(f"{cell[:40]!r} is neither true nor false")
    return cell.strip().lower() == "true"


_RULES: dict[str, Callable[[str], Any]] = {
    "name": _name,
    "description": _description,
    "price": _price,
    "currency": _currency,
    "active": _active,
}


def _seen(product: Product) -> str:
    """Another one for any change."""
    return hashlib.sha256(json.dumps(list(_values(product).values())).encode()).hexdigest()


# --- Doing what was checked -----------------------------------------------------------------------------------------

_CHANGE = """
UPDATE inventory_product p
SET name = c.name, description = c.description, price_amount = c.price, active = c.active
FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::boolean[])
AS c (sku, name, description, price, active)
WHERE p.sku = c.sku
"""


def bring_in(new: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]]) -> None:
    """
    All of it, within the caller's transaction. Products are locked in order of sku, and no order waits for that.

    Raises ChangedMeanwhile, IntegrityError where a new sku was taken in this moment.
    """
    rows = Product.objects.using(ALIAS).select_for_update(no_key=True).defer("search").order_by("sku")
    there = {row.sku: row for row in rows.filter(sku__in=[entry["sku"] for entry in changed])}
    others = [
        entry["sku"] for entry in changed if entry["sku"] not in there or _seen(there[entry["sku"]]) != entry["seen"]
    ]
    others += taken(new)
    if others:
        raise ChangedMeanwhile(skus=sorted(others)[:20])
    targets = [{"sku": entry["sku"], **_values(there[entry["sku"]]), **entry["to"]} for entry in changed]
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_CHANGE, [[target[name] for target in targets] for name in ("sku", *_FIELDS)])
    products = [
        Product(
            sku=entry["sku"],
            name=entry["name"],
            description=entry["description"],
            price_amount=Decimal(entry["price"]),
            price_currency=settings.SHOP_CURRENCY,
            active=entry["active"],
        )
        for entry in new
    ]
    Product.objects.using(ALIAS).bulk_create(products, batch_size=1_000)
    Stock.objects.using(ALIAS).bulk_create([Stock(sku=product) for product in products], batch_size=1_000)


def taken(new: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those of the new skus that are there by now."""
    skus = [entry["sku"] for entry in new]
    return list(Product.objects.using(ALIAS).filter(sku__in=skus).order_by("sku").values_list("sku", flat=True))
