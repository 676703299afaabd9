"""
Reads a sales history as it is: dirty. Every row is either part of a sale or left out for a reason that has a name.
"""

from __future__ import annotations

import csv
import hashlib
import lzma
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO
from uuid import NAMESPACE_URL, UUID, uuid5

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")

_SKU = re.compile(r"\d{5}[A-Za-z]{0,2}", re.ASCII)


class NotASalesHistory(ValueError):
    """This file is not a sales history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRow:
    sku: str
    description: str
    quantity: int
    unit_price: Decimal


@dataclass(slots=True, kw_only=True)
class Invoice:
    """One sale: who bought, when (the shop's local time), and its rows in the file's order."""

    number: str
    customer: str
    at: datetime
    rows: list[SaleRow] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((row.unit_price * row.quantity for row in self.rows), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """``left_out`` counts, by reason, the rows that are no sale. ``digest`` is the SHA-256 of the file."""

    invoices: list[Invoice]
    left_out: Counter[str]
    row_count: int
    digest: str

    @property
    def customers(self) -> list[str]:
        return sorted({invoice.customer for invoice in self.invoices})

    def units_sold(self) -> Counter[str]:
        units: Counter[str] = Counter()
        for invoice in self.invoices:
            for row in invoice.rows:
                units[row.sku] += row.quantity
        return units

    def products(self) -> dict[str, tuple[str, Decimal]]:
        """Name and price of each sku sold: what most rows say, since they differ."""
        names: dict[str, Counter[str]] = defaultdict(Counter)
        prices: dict[str, Counter[Decimal]] = defaultdict(Counter)
        for invoice in self.invoices:
            for row in invoice.rows:
                names[row.sku][row.description or row.sku] += 1
                prices[row.sku][row.unit_price] += 1
        return {sku: (names[sku].most_common(1)[0][0], prices[sku].most_common(1)[0][0]) for sku in sorted(names)}


def customer_id(customer: str) -> UUID:
    """The user that a customer of the history becomes."""
    return uuid5(NAMESPACE_URL, f"online-retail:{customer}")


def read(path: Path) -> History:
    """A .csv or .csv.xz. Raises NotASalesHistory, OSError."""
    invoices: dict[str, Invoice] = {}
    left_out: Counter[str] = Counter()
    count = 0
    try:
        with _open(path) as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise NotASalesHistory(f"{path} has the columns {reader.fieldnames}, not {', '.join(COLUMNS)}")
            for row in reader:
                count += 1
                if None in row or None in row.values():
                    raise NotASalesHistory(f"{path} is damaged: row {count} does not have {len(COLUMNS)} columns")
                if reason := _no_sale(row):
                    left_out[reason] += 1
                else:
                    _add(invoices, row)
    except NotASalesHistory:
        raise
    except (UnicodeDecodeError, lzma.LZMAError, EOFError, csv.Error, InvalidOperation, ValueError) as error:
        raise NotASalesHistory(f"{path} cannot be read after row {count}: {error}") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return History(invoices=list(invoices.values()), left_out=left_out, row_count=count, digest=digest)


def _open(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _no_sale(row: dict[str, str]) -> str | None:
    """Why a row is no sale, by the first reason that holds; None for a sale."""
    if row["InvoiceNo"].startswith("C"):
        return "cancellation"
    if not row["InvoiceNo"].isdigit():
        return "bookkeeping entry"
    if int(row["Quantity"]) <= 0:
        return "write-off"
    if not row["CustomerID"]:
        return "anonymous sale"
    if not _SKU.fullmatch(row["StockCode"]):
        return "postage or fee"
    if Decimal(row["UnitPrice"]) <= 0:
        return "free goods"
    return None


def _add(invoices: dict[str, Invoice], row: dict[str, str]) -> None:
    invoice = invoices.get(row["InvoiceNo"])
    if invoice is None:
        invoice = Invoice(
            number=row["InvoiceNo"], customer=row["CustomerID"], at=datetime.fromisoformat(row["InvoiceDate"])
        )
        invoices[row["InvoiceNo"]] = invoice
    invoice.rows.append(
        SaleRow(
            sku=row["StockCode"],
            description=" ".join(row["Description"].split())[:200],
            quantity=int(row["Quantity"]),
            unit_price=Decimal(row["UnitPrice"]),
        )
    )
