"""What was decided in a run, a line each. The same seed gives the same lines: ids are told by names of their own."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Trace:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def call(self, id: Any, kind: str) -> str:
        """The name of this id: the kind of thing that it is first met as, and its number among them."""
        text = str(id)
        if text not in self._names:
            self._counts[kind] += 1
            self._names[text] = f"{kind}-{self._counts[kind]}"
        return self._names[text]

    def plain(self, text: str) -> str:
        """The text with names in place of ids."""
        return _ID.sub(lambda found: self.call(found.group(), "id"), text)

    def line(self, at: float, who: str, what: str) -> None:
        self.lines.append(f"{len(self.lines) + 1:5d} {at:9.3f}s {who:<16} {self.plain(what)}")
