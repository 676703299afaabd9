"""
The OpenAPI documents: one for the whole, one for each domain.

They are made from all domains' URLs when the code changes (``manage.py openapi``) and served as they were written: a
process that hosts one domain has no views of the others, and answers the same to the byte as a process that has.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.http import require_safe
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from config.plain_addresses import PLAIN

__all__ = ["WRITTEN", "NoDocument", "document", "part_of", "schema_view"]

type _Patterns = Sequence[URLPattern | URLResolver]

WRITTEN = Path("docs") / "openapi.json"
"""Where the whole document stands, below the project."""

_PROJECT = Path(__file__).resolve().parent.parent
_REFERENCE = re.compile(r"#/components/schemas/(\w+)")

_one_at_a_time = threading.Lock()


class NoDocument(RuntimeError):
    """docs/openapi.json cannot be read: it comes with the code, and `manage.py openapi` writes it."""


def document(patterns: _Patterns, *, whole: bool = True) -> tuple[dict[str, Any], list[str]]:
    """
    The OpenAPI document of these URLs, and what drf-spectacular had to guess at.

    The ``whole`` one also has the addresses that belong to no domain.
    """
    with _one_at_a_time, GENERATOR_STATS.silence():
        generator = SchemaGenerator(patterns=list(patterns))  # type: ignore[no-untyped-call]
        found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        guesses = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    if whole:
        found["paths"] |= PLAIN
    return found, guesses


def part_of(whole: dict[str, Any], domain: str) -> dict[str, Any]:
    """The document of one domain: its addresses, and of the components those that they need."""
    root = f"/api/{domain}"
    paths = {path: found for path, found in whole["paths"].items() if path == root or path.startswith(f"{root}/")}
    schemas = whole["components"]["schemas"]
    needed = set(_needed(paths, schemas))
    kept = {name: schema for name, schema in schemas.items() if name in needed}
    return {**whole, "paths": paths, "components": {**whole["components"], "schemas": kept}}


def schema_view(domain: str | None = None) -> Callable[[HttpRequest], HttpResponse]:
    """A view that answers with the document of this domain, hosted here or not; without one, with the whole."""

    @cache
    def body() -> bytes:
        whole = _written()
        return json.dumps(whole if domain is None else part_of(whole, domain)).encode()

    @require_safe
    def schema(request: HttpRequest) -> HttpResponse:
        return HttpResponse(body(), content_type="application/json", headers={"Cache-Control": "public, max-age=60"})

    return schema


def _written() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((_PROJECT / WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NoDocument(NoDocument.__doc__) from error
    return found


def _needed(value: Any, schemas: dict[str, Any]) -> Iterator[str]:
    """The names of the schemas that this refers to, and those that they refer to in turn."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        for name in _REFERENCE.findall(json.dumps(waiting.pop())):
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
                yield name
