"""The OpenAPI documents: one for the whole, one for each domain, made once from the URLs and then kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.http import require_safe
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from config.plain_addresses import PLAIN

__all__ = ["document", "schema_view", "written_view"]

type _Patterns = Sequence[URLPattern | URLResolver]

_one_at_a_time = threading.Lock()


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


def schema_view(patterns: _Patterns, *, whole: bool = True) -> Callable[[HttpRequest], HttpResponse]:
    """A view that answers with the document of these URLs."""
    return _answering(lambda: document(patterns, whole=whole)[0])


def written_view(path: Path) -> Callable[[HttpRequest], HttpResponse]:
    """
    A view that answers with the document in this file, where not all URLs are hosted here.

    ``manage.py openapi --check`` sees to it that it is what all URLs together say.
    """
    return _answering(lambda: json.loads(path.read_text(encoding="utf-8")))


def _answering(make: Callable[[], dict[str, Any]]) -> Callable[[HttpRequest], HttpResponse]:
    @cache
    def body() -> bytes:
        return json.dumps(make()).encode()

    @require_safe
    def schema(request: HttpRequest) -> HttpResponse:
        return HttpResponse(body(), content_type="application/json", headers={"Cache-Control": "public, max-age=60"})

    return schema
