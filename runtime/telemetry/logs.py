"""
What the process says while it runs: one line per happening, for a person (console) or for a machine (json).

No personal data and no secrets: lines carry ids, routes and codes, never bodies, query strings or headers.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from runtime.telemetry.tracing import current_request_id, current_trace

__all__ = ["ConsoleFormatter", "JsonFormatter", "logging_config"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOT_FOR_LINES = frozenset({"request", "status_code"})
"""Django attaches these to its own records: a request object has headers, and the access line has the status."""


def logging_config(log_format: str) -> dict[str, Any]:
    """Django's LOGGING. ``log_format``: console or json. Everything goes to standard error."""
    formatters = {"console": ConsoleFormatter, "json": JsonFormatter}
    if log_format not in formatters:
        raise ValueError(f"LOG_FORMAT={log_format!r} is neither console nor json")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatters[log_format]}},
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
            # Celery tells of each task's arrival and end, with all its arguments.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
        },
    }


class ConsoleFormatter(logging.Formatter):
    """``12:00:00.123 INFO runtime.http request method=GET route=api/orders status=200``"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=UTC).strftime("%H:%M:%S.%f")[:-3]
        facts = " ".join(f"{name}={_printable(value)}" for name, value in _facts(record).items())
        line = f"{moment} {record.levelname:<7} {record.name} {_printable(record.getMessage())} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: timestamp, level, logger, message, the facts, and ``exception`` where there was one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """What was passed as ``extra``, and which request and trace the line belongs to."""
    facts = {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and name not in _NOT_FOR_LINES and value is not None
    }
    if (request_id := current_request_id()) is not None:
        facts.setdefault("request_id", request_id)
    if (trace := current_trace()) is not None:
        facts.setdefault("trace_id", trace.trace_id)
    return facts


def _printable(value: object) -> str:
    """On one line: a line break or a control character inside a value could forge a line of its own."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))
