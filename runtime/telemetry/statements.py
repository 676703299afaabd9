"""Each SQL statement of a trace that is recorded is a span: what was asked, and never with which values."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry.trace import SpanKind

from runtime.telemetry.spans import begun, fail, recorded

__all__ = ["trace_statements"]

_LONGEST = 2000
# An EXECUTE names what was prepared, a LISTEN its channel.
_TARGET = re.compile(
    r'\b(?:from|into|update|execute|prepare|listen|notify)\s+(?:only\s+)?"?([a-z_][a-z0-9_]*)"?', re.IGNORECASE
)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_CHANGE = re.compile(r"\b(insert|update|delete)\b", re.IGNORECASE)


def trace_statements() -> None:
    """From now on, on every connection of Django's that is opened."""
    connection_created.connect(_watch, dispatch_uid="runtime.telemetry.statements")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if _recording not in connection.execute_wrappers:
        # The outermost: what other wrappers do is part of the time.
        connection.execute_wrappers.insert(0, _recording)


def _recording(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if not recorded():
        return execute(sql, params, many, context)
    text = sql if isinstance(sql, str) else str(sql)
    operation, target, summary = _summary(text)
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": context["connection"].alias,
        "db.operation.name": operation,
        "db.query.summary": summary,
        "db.query.text": text[:_LONGEST],
    }
    if target:
        attributes["db.collection.name"] = target
    asked = begun(summary, kind=SpanKind.CLIENT, attributes=attributes)
    try:
        return execute(sql, params, many, context)
    except BaseException as error:
        fail(asked, error)
        raise
    finally:
        asked.end()


@lru_cache(maxsize=512)
def _summary(text: str) -> tuple[str, str, str]:
    """The operation, what it is done to (as far as one can tell), and both."""
    words = _WORD.search(text)
    operation = words[0].upper() if words else "SQL"
    if operation == "WITH":
        changes = _CHANGE.search(text)
        operation = changes[0].upper() if changes else "SELECT"
    found = _TARGET.search(text)
    target = found[1] if found else ""
    return operation, target, f"{operation} {target}".rstrip()
