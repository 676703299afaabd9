"""
What the process says while it runs: one line per happening, for a person (console) or for a machine (json).

Whatever logs with Python's own logging is written by structlog's formatter, libraries' lines like ours. No personal
data and no secrets: lines carry ids, routes and codes, never bodies, query strings or headers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter

from runtime.telemetry.tracing import current_request_id, current_trace

__all__ = ["about", "formatter", "logging_config", "mention"]

_NOT_FOR_LINES = ("request", "status_code", "message", "asctime")
"""Django attaches the first two to its own records: a request has headers, and the access line has the status."""
_NO_FACTS = frozenset({"event", "exc_info", "stack_info", "_record", "_from_structlog"})
"""What structlog puts beside the facts."""

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Lines that are written inside name these: ``order_id``, ``user_id`` and the like. Ids alone, never names."""
    outer = _about.set({**(_about.get() or {}), **ids})
    try:
        yield
    finally:
        _about.reset(outer)


def mention(**ids: str) -> None:
    """From now on, to the end of what ``about`` surrounds, lines name these as well; nothing outside of it."""
    if (named := _about.get()) is not None:
        _about.set({**named, **ids})


def logging_config(log_format: str) -> dict[str, Any]:
    """Django's LOGGING. ``log_format``: console or json. Everything goes to standard error."""
    if log_format not in {"console", "json"}:
        raise ValueError(f"LOG_FORMAT={log_format!r} is neither console nor json")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "runtime.telemetry.logs.formatter", "log_format": log_format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # Django's default handlers would write each line a second time.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # The access line already tells of 4xx; only what nobody foresaw is worth a traceback.
            "django.request": {"level": "ERROR"},
            "django.security": {"level": "ERROR"},
            # A probe that fails would write 60 lines, every second.
            "health_check": {"level": "CRITICAL"},
            # A collector that is away: our own line tells, once a minute (runtime/telemetry/sending.py).
            "opentelemetry": {"level": "CRITICAL"},
            # Celery tells of each task's arrival and end, with all its arguments.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
        },
    }


def formatter(log_format: str) -> ProcessorFormatter:
    """The formatter of the standard library's handlers. ``log_format``: console or json."""
    facts = (structlog.stdlib.ExtraAdder(), _without_objects, _with_ids)
    if log_format == "json":
        shown: tuple[Any, ...] = (_json_head, structlog.processors.JSONRenderer(default=str))
    else:
        shown = (_on_one_line,)
    return ProcessorFormatter(foreign_pre_chain=facts, processors=shown)


type _Line = MutableMapping[str, Any]


def _without_objects(logger: object, method: str, line: _Line) -> _Line:
    for name in [name for name, value in line.items() if value is None or name in _NOT_FOR_LINES]:
        del line[name]
    return line


def _with_ids(logger: object, method: str, line: _Line) -> _Line:
    """Which request and trace the line belongs to, and what it is about, unless it says so itself."""
    trace = current_trace()
    ids = {"request_id": current_request_id(), "trace_id": trace.trace_id if trace else None, **(_about.get() or {})}
    for name, value in ids.items():
        if value is not None:
            line.setdefault(name, value)
    return line


def _json_head(logger: object, method: str, line: _Line) -> _Line:
    """``timestamp``, ``level``, ``logger`` and ``message``, then the facts, and ``exception`` where there was one."""
    record = line["_record"]
    head = {
        "timestamp": _moment(record).isoformat(),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _without_rows(str(line["event"])),
    }
    # The head last: no fact of one of these names says who wrote the line, and when.
    return {**head, **_facts(line), **head, **_exception(line)}


def _on_one_line(logger: object, method: str, line: _Line) -> str:
    """``12:00:00.123 INFO runtime.http request method=GET route=api/orders status=200``"""
    record = line["_record"]
    moment = _moment(record).strftime("%H:%M:%S.%f")[:-3]
    said = _printable(_without_rows(str(line["event"])))
    told = " ".join(f"{name}={_printable(value)}" for name, value in _facts(line).items())
    text = f"{moment} {record.levelname:<7} {record.name} {said} {told}".rstrip()
    return "\n".join((text, *_exception(line).values()))


def _without_rows(text: str) -> str:
    """PostgreSQL's errors quote the row that they are about, with whatever a person has in it."""
    return _DETAIL.sub("DETAIL: left out", text)


_DETAIL = re.compile(r"^DETAIL: .*$", re.MULTILINE)


def _facts(line: _Line) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in _NO_FACTS}


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _exception(line: _Line) -> dict[str, str]:
    raised = line.get("exc_info")
    if not raised or raised[0] is None:
        return {}
    return {"exception": _without_rows(_PLAIN.formatException(raised))}


_PLAIN = logging.Formatter()


def _printable(value: object) -> str:
    """On one line: a line break or a control character inside a value could forge a line of its own."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
