"""Statements that PostgreSQL reads and plans once for many runs: for an event, that costs more than what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

PLANNED_FOR = 1_000
"""Runs after which a statement is planned anew: its tables may have grown from a page to a million rows."""


class Prepared:
    """
    One statement under one name, prepared on each connection when it is first run there.

    ``types`` gives the type of each value in it, by name: ``Prepared("find", "SELECT %(n)s", n="int")``. It needs a
    connection of its own: one that a pooler hands to others after each transaction does not know what was prepared.
    """

    def __init__(self, name: str, statement: str, **types: str) -> None:
        numbers = {value: f"${number}" for number, value in enumerate(types, start=1)}
        self._prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {statement % numbers}"
        self._execute = f"EXECUTE {name} ({', '.join(f'%({value})s' for value in types)})"
        self._forget = f"DEALLOCATE {name}"
        # By the driver's connection, which is another one after an outage.
        self._runs: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def execute(self, cursor: Any, told: Mapping[str, Any]) -> None:
        """Run it on this cursor of Django's; the rows are fetched as those of any other statement."""
        connection = cursor.connection
        runs = self._runs.get(connection, 0)
        if runs % PLANNED_FOR == 0:
            if runs:
                cursor.execute(self._forget)
                self._runs[connection] = 0
            cursor.execute(self._prepare)
        self._runs[connection] = runs + 1
        cursor.execute(self._execute, told)
