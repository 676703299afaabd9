"""
The truth about the money, on disk: each line is what the provider did, written and synced before anybody hears of it.

``read`` gives the sums by our keys, for whatever compares them with our books.
"""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Moved:
    """Money that moved under one of our keys: how much in all, and how often."""

    amount: Decimal = Decimal("0.00")
    count: int = 0

    def add(self, units: int) -> None:
        self.amount += Decimal(units).scaleb(-2)
        self.count += 1


@dataclass(slots=True)
class Read:
    """``captures`` and ``refunds`` by the charge's key; ``refunds_by_key`` by each refund's own."""

    captures: dict[str, Moved] = field(default_factory=lambda: defaultdict(Moved))
    refunds: dict[str, Moved] = field(default_factory=lambda: defaultdict(Moved))
    refunds_by_key: dict[str, Moved] = field(default_factory=lambda: defaultdict(Moved))
    intents: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def net(self, key: str) -> Decimal:
        """What the provider holds of this charge."""
        return self.captures[key].amount - self.refunds[key].amount


def read(path: Path | str) -> Read:
    """All that moved. What a crash cut off in the last line never happened."""
    found = Read()
    seen: set[str] = set()
    for line in lines(Path(path)):
        if line["line"] == "capture":
            found.captures[line["key"]].add(line["amount"])
        elif line["line"] == "refunded":
            found.refunds[line["charge_key"]].add(line["amount"])
            found.refunds_by_key[line["key"]].add(line["amount"])
        elif line["line"] == "intent" and line["intent"]["id"] not in seen:
            seen.add(line["intent"]["id"])
            found.intents[line["intent"]["metadata"].get("key", "")] += 1
    return found


def lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for text in path.read_text().splitlines():
        try:
            yield json.loads(text)
        except ValueError:
            return


class Journal:
    """Appends, and is on disk when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._lock = threading.Lock()

    def write(self, *entries: dict[str, Any]) -> None:
        with self._lock:
            self._file.write("".join(json.dumps(entry) + "\n" for entry in entries))
            self._file.flush()
            os.fsync(self._file.fileno())
