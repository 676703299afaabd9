"""What this process goes by: the values as they were heard of last, in its memory."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.dynconf.declared import BadValue, UnknownValue, declared

__all__ = ["Snapshot", "apply", "await_news", "current", "value"]

log = logging.getLogger(__name__)

_LOOK_UP_SECONDS = 0.25
"""How often somebody who waits for news looks whether this process is about to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All changed values of one moment, as texts by key. Version 0 is that nothing was ever changed."""

    version: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """An entity tag: the version, and what it is, since a table that was restored counts the same again."""
        content = json.dumps(self.texts, sort_keys=True).encode()
        return f'"{self.version}-{hashlib.sha256(content).hexdigest()[:8]}"'


_values: dict[str, Any] = {}
"""Replaced as a whole: whoever reads sees one moment, and waits for nobody."""
_snapshot = Snapshot()
_news = threading.Condition()


def value(key: str) -> Any:
    """
    What the value is now, as its kind has it (a duration in seconds).

    A read of this process's memory; asks nobody. Raises UnknownValue for a key that is not declared.
    """
    try:
        return _values[key]
    except KeyError:
        return _first(key)


def current() -> Snapshot:
    return _snapshot


def apply(snapshot: Snapshot) -> None:
    """
    Go by these from now on. A text that cannot be used here changes nothing: the value before it stays.

    A key that is not declared here is another release's, and left alone.
    """
    global _values, _snapshot
    with _news:
        new = {}
        for key, each in declared().items():
            text = snapshot.texts.get(key)
            try:
                new[key] = each.initial() if text is None else each.parse(text)
            except BadValue as error:
                new[key] = _values[key] if key in _values else each.initial()
                if _snapshot.texts.get(key) != text:
                    log.error("what was heard of is not applied: %s", error)
        _values, _snapshot = new, snapshot
        _news.notify_all()


def await_news(known: Snapshot, *, seconds: float, leaving: Callable[[], bool] = lambda: False) -> None:
    """Until this process has heard of something else than this, at most so long, or until it is to end."""
    rounds = int(seconds / _LOOK_UP_SECONDS)
    with _news:
        for _ in range(rounds):
            if _snapshot != known or leaving():
                return
            _news.wait(_LOOK_UP_SECONDS)


def defaults_may_have_changed(**kwargs: Any) -> None:
    """A test has other settings, as Django says: the next read finds them."""
    global _values
    _values = {}


def _first(key: str) -> Any:
    if key not in declared():
        raise UnknownValue(f"There is no value {key!r} that can be changed.")
    apply(_snapshot)
    return _values[key]


def _begin_anew() -> None:
    """A child of a fork has its parent's values, and perhaps a lock that nobody will ever let go."""
    global _news
    _news = threading.Condition()


os.register_at_fork(after_in_child=_begin_anew)
