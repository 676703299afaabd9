"""
Keeps this process's values as they are: a thread of its own hears of changes, and what was heard is kept on disk.

What is on disk is what this process goes by until it has heard anything, and for as long as it hears nothing.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.db import Error as DatabaseError

from contracts._base import Unavailable
from runtime.discovery import is_known
from runtime.dynconf.sources import WAIT_SECONDS, NoNews, OverHttp, Source, Table, Unheard
from runtime.dynconf.values import Snapshot, apply, current
from runtime.embedded.errors import StateUnusable
from runtime.embedded.state import make_private, read_json, write_json

__all__ = ["FILE", "kept", "watch"]

log = logging.getLogger(__name__)

FILE = "dynamic-values.json"
_FIRST_SECONDS = 1.0
"""How long a process that starts waits for what is true now; after that it goes by what was true last."""
_LONGEST_PAUSE = 10.0
_UNWAITED_PAUSE = 5.0
"""Seconds before the next question to somebody who had no place to let us wait."""
_OUTAGES = (Unheard, Unavailable, DatabaseError, psycopg2.Error)

_watching = False


def watch() -> None:
    """Begin, once in each process that serves: after a fork, not before. Returns within about a second."""
    global _watching
    if _watching:
        return
    _watching = True
    if (found := kept(settings.STATE_DIR)) is not None:
        apply(found)
    source: Source
    if settings.DYNAMIC_DOMAIN in settings.HOSTED_DOMAINS:
        source = Table()
    elif is_known(settings.DYNAMIC_DOMAIN):
        source = OverHttp()
    else:
        return
    heard = threading.Event()
    threading.Thread(target=_run, args=(source, heard.set), name="dynamic-values", daemon=True).start()
    heard.wait(_FIRST_SECONDS)


def kept(folder: Path) -> Snapshot | None:
    """What was heard of last, by whichever process of this state directory; None where there is nothing to go by."""
    try:
        found = read_json(folder / FILE)
    except StateUnusable as error:
        log.warning("what was known of values that change is lost: %s", error)
        return None
    try:
        return None if found is None else Snapshot(version=int(found["version"]), texts=dict(_texts(found["values"])))
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("what was known of values that change cannot be read: %s", folder / FILE)
        return None


def _texts(found: Any) -> Any:
    return ((key, text) for key, text in found.items() if isinstance(text, str))


def _run(source: Source, heard: Callable[[], None]) -> None:
    failures = 0
    while True:
        try:
            _take(source.hear(seconds=WAIT_SECONDS))
        except NoNews as news:
            failures = 0
            heard()
            if not news.waited:
                time.sleep(_spread(_UNWAITED_PAUSE))
        except Exception as error:
            # This thread outlives whatever goes wrong: without it a process would never hear of anything again.
            failures += 1
            if failures == 1:
                unexpected = None if isinstance(error, _OUTAGES) else error
                log.warning("values stay as they were known last: %s", error, exc_info=unexpected)
            heard()
            time.sleep(_spread(min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(failures, 10))))
        else:
            if failures:
                log.info("values are heard of again")
            failures = 0
            heard()


def _take(found: Snapshot) -> None:
    """Go by it, and keep it. A version that is not the same is news, also an earlier one: a table may be restored."""
    if found == current():
        return
    apply(found)
    log.info("values are those of version %d", found.version)
    try:
        write_json(make_private(settings.STATE_DIR) / FILE, {"version": found.version, "values": dict(found.texts)})
    except StateUnusable as error:
        log.warning("what is known of values that change is not kept: %s", error)


def _spread(seconds: float) -> float:
    """Many processes do not ask together."""
    return random.uniform(seconds / 2, seconds)  # noqa: S311 - spreads load, guards nothing


def _begin_anew() -> None:
    """A child of a fork has its parent's values and none of its threads."""
    global _watching
    _watching = False


os.register_at_fork(after_in_child=_begin_anew)
