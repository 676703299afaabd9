"""``{items, next, previous}``: lists a page at a time, by ``?cursor=`` and ``?limit=``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from runtime.databases.keyset import Page, PageRequest
from runtime.http.problem import parameter_problem

__all__ = ["PAGE_PARAMETERS", "page_answer", "page_of", "read_page"]

_DEFAULT_LIMIT = 20
_LARGEST_LIMIT = 100

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="From `next` or `previous` of an earlier page; opaque."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": _LARGEST_LIMIT, "default": _DEFAULT_LIMIT},
        description="How many items at most.",
    ),
]


def read_page(request: Request) -> PageRequest:
    """Which page is asked for. Raises Problem 400, naming the parameter."""
    return PageRequest(limit=_limit(request), cursor=request.query_params.get("cursor"))


def page_answer(request: Request, page: Page[Any], serializer_class: type[serializers.BaseSerializer[Any]]) -> Response:
    """The page as an answer, with its neighbours as paths that keep the request's other parameters."""
    return Response(
        {
            "items": serializer_class(page.items, many=True).data,
            "next": _path(request, page.next_key),
            "previous": _path(request, page.previous_key),
        }
    )


def page_of(serializer_class: type[serializers.BaseSerializer[Any]]) -> Any:
    """The page of these, for OpenAPI: ``@extend_schema(responses=page_of(ProductSerializer))``."""
    name = serializer_class.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            "items": serializer_class(many=True),
            "next": serializers.CharField(allow_null=True, help_text="The path of the next page."),
            "previous": serializers.CharField(allow_null=True, help_text="The path of the page before."),
        },
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(_DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= _LARGEST_LIMIT):
        raise parameter_problem("limit", "invalid_limit", f"limit is a whole number from 1 to {_LARGEST_LIMIT}.")
    return int(text)


def _path(request: Request, key: str | None) -> str | None:
    if key is None:
        return None
    others = [(name, value) for name, values in request.query_params.lists() for value in values if name != "cursor"]
    return f"{request.path}?{urlencode([('cursor', key), *others])}"
