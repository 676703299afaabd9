"""
What was asked and answered, as text: two shops are alike where their transcripts are equal.

An answer is written down with its status, its body in the order of its members, and all headers but those of the
connection. Headers that every answer wears are left out where they are as usual, and named where they are not. Allow
counts where a method was refused or asked for (RFC 9110, 10.2.1): elsewhere it is a habit of Django REST framework's.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.topologies.appearances import Appearances

_OF_THE_CONNECTION = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
_MADE_FOR_EACH = {
    "x-request-id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "traceparent": re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]"),
}
_USUAL = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SPAN = re.compile(r"-[0-9a-f]{16}-(?=0[01]\b)")
_TRY = ("action", "outcome")
_LONGEST_QUESTION, _LONGEST_BODY = 400, 8_000


class Transcript:
    def __init__(self) -> None:
        self.appearances = Appearances()
        self._lines: list[str] = []
        self._method = ""

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def title(self, words: str) -> None:
        self._lines += ["", f"### {words}"]

    def line(self, text: str) -> None:
        self._lines.append(self.appearances.replace(text))

    def question(self, who: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> None:
        self._method = method
        self.line("")
        self.line(f"{who}: {method} {path}")
        for name, value in headers.items():
            self.line(f"  {name}: {value}")
        if body is not None:
            self.line(f"  {shortened(body.decode(errors='replace'), at=_LONGEST_QUESTION)}")

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.line(str(status))
        given = {name.lower(): value for name, value in headers.items()}
        if status != 405 and self._method != "OPTIONS":
            given.pop("allow", None)
        for name in sorted(given.keys() | _USUAL.keys() | _MADE_FOR_EACH.keys()):
            if (value := _header(name, given.get(name, "(none)"))) is not None:
                self.line(f"  {name}: {value}")
        if body:
            text = self.appearances.replace(_shown(given.get("content-type", ""), body))
            self._lines.append(_indented(shortened(text, at=_LONGEST_BODY)))


def _header(name: str, value: str) -> str | None:
    """None where there is nothing to say of it."""
    usual = value == _USUAL.get(name) or (name in _MADE_FOR_EACH and _MADE_FOR_EACH[name].fullmatch(value))
    if usual or name in _OF_THE_CONNECTION:
        return None
    if name in {"ratelimit", "retry-after"}:
        # How many seconds are left.
        return re.sub(r"(?<=;t=)\d+|^\d{2,}$", "<seconds>", value)
    return _SPAN.sub("-<span>-", value)


def _shown(media_type: str, body: bytes) -> str:
    if "json" in media_type:
        plain = _of_one_clock(json.loads(body))
        return json.dumps(plain, indent=2, ensure_ascii=False)
    return body.decode(errors="replace")


def _of_one_clock(value: Any) -> Any:
    """
    What depends on how fast a clock runs is put aside. How often one looked again: tries with the same outcome are one,
    and are not counted. And what came first where two clocks, or two who work at the same time, tell of it: a timeline
    is compared by who tells.
    """
    match value:
        case dict():
            return {name: _of_one_clock(member) for name, member in value.items()}
        case [{"action": _, "outcome": _}, *_]:
            pairs = itertools.pairwise([{}, *value])
            return [after for before, after in pairs if any(before.get(name, ...) != after[name] for name in _TRY)]
        case [{"at": _, "source": _, "kind": _}, *_]:
            by_teller = sorted(value, key=lambda moment: (moment["source"], moment["kind"].partition(".")[0]))
            return [_of_one_clock(moment) for moment in by_teller]
        case list():
            return [_of_one_clock(member) for member in value]
        case str():
            return re.sub(r", \d+ tries\b", "", value)
        case _:
            return value


def shortened(text: str, *, at: int) -> str:
    """A long text is told by its size and its digest."""
    if len(text) <= at:
        return text
    return f"({len(text):,} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:24]})"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def difference(one: str, other: str, *, names: tuple[str, str]) -> str:
    """As ``diff -u`` writes it; empty where they are equal."""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), *names, lineterm="", n=12)
    return "\n".join(lines)
