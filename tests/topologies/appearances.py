"""What differs in every run, replaced by its order of appearance: the first id is ``<id 1>``, wherever it stands."""

from __future__ import annotations

import re
from collections import defaultdict

_CHANGING = re.compile(
    "|".join(
        (
            r"(?P<token>\beyJ[\w-]+\.[\w-]+\.[\w-]*)",
            r"(?P<id>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)",
            # The zone stays. A time of no microseconds is written without them.
            r"(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)",
            # Its place in the list. What follows is when it was made, in seconds, and a signature.
            r"(?<=cursor=)(?P<cursor>[\w.-]+)(?:%3A[\w-]+){2}",
            r"(?P<trace>\b[0-9a-f]{32}\b)",
            # Refresh tokens, key ids, moduli; a traceparent is none.
            r"(?<![\w-])(?!00-[0-9a-f]{32}-)(?P<secret>[\w-]{40,})",
        )
    )
)


class Appearances:
    """Two texts become equal where only their ids, times, tokens and cursors differ, and those in the same places."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = defaultdict(dict)

    def replace(self, text: str) -> str:
        return _CHANGING.sub(self._named, text)

    def place_of(self, identifier: str) -> int | None:
        """When this id appeared first, from 1; None for one that has not."""
        return self._seen["id"].get(identifier)

    def _named(self, found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        seen = self._seen[kind]
        return f"<{kind} {seen.setdefault(found[kind], len(seen) + 1)}>"
