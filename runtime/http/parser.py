"""
The only way a JSON body gets in: UTF-8, at most 2 MiB, at most 64 levels deep, one object, no tricks.

Refused with a 4xx: what is not JSON (NaN and Infinity included), a name that occurs twice, numbers that no column
holds, and text that no column holds (NUL and lone surrogates).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from runtime.http.problem import Problem

__all__ = ["LARGEST_BODY", "StrictJSONParser", "parse", "unusable_text"]

LARGEST_BODY = 2 * 1024 * 1024
_DEEPEST = 64
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """DRF's DEFAULT_PARSER_CLASSES has this one and no other: forms and files are a 415."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Raises Problem: 413 for a body that is too large, 400 for any other fault."""
        declared = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if declared.isdigit() and int(declared) > LARGEST_BODY:
            raise too_large()
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise too_large()
        return parse(body)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in this body. Raises Problem."""
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
    except UnicodeDecodeError:
        raise Problem(400, "not_utf8", "The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Problem(400, "malformed_json", f"The body is not JSON: {_without_the_body(error)}.") from None
    if not isinstance(value, dict):
        raise Problem(400, "not_an_object", "The body is JSON, but not an object.")
    # Only a backslash can bring in what UTF-8 itself cannot, and only many brackets can be deep.
    if "\\u" in text or text.count("{") + text.count("[") > _DEEPEST:
        _inspect(value)
    return value


def unusable_text(text: str) -> bool:
    """Whether a text has NUL or a lone surrogate in it: no column can hold it."""
    return _UNUSABLE.search(text) is not None


def too_large() -> Problem:
    return Problem(413, "body_too_large", f"The body is larger than {LARGEST_BODY} bytes.")


def _too_deep() -> Problem:
    return Problem(400, "too_deep", f"The body is nested more than {_DEEPEST} levels deep.")


def _inspect(value: Any) -> None:
    """Level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(_DEEPEST):
        texts = [item for item in level if isinstance(item, str)]
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                texts.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if any(map(unusable_text, texts)):
            raise Problem(400, "unusable_text", "The body has a NUL or half a surrogate pair in it.")
        if not inner:
            return
        level = inner
    raise _too_deep()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _without_the_body(error: ValueError) -> str:
    """What is wrong, without the text that it is wrong in."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "a number has too many digits" if "digits" in str(error) else str(error)
