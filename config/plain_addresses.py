"""The addresses that no view of Django REST framework answers, as the OpenAPI document words them."""

from __future__ import annotations

from typing import Any

__all__ = ["PLAIN"]

_CHECK = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
        "duration": {"type": "string", "description": "With its unit, as in 16ms."},
        "error": {"type": "string"},
    },
    "required": ["status", "duration"],
}
_HEALTH = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
        "timestamp": {"type": "string", "format": "date-time"},
        "checks": {"type": "object", "additionalProperties": _CHECK},
    },
    "required": ["status", "timestamp", "checks"],
    "additionalProperties": False,
}
_KEYS = {
    "type": "object",
    "properties": {
        "keys": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("kty", "use", "alg", "kid", "n", "e")},
                "required": ["kty", "use", "alg", "kid", "n", "e"],
            },
        }
    },
    "required": ["keys"],
    "additionalProperties": False,
}


def _asked(tag: str, operation: str, summary: str, answers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """A path that anyone may GET."""
    responses = {
        status: {"description": words, "content": {"application/json": {"schema": schema}}}
        for status, (words, schema) in answers.items()
    }
    told = {"operationId": operation, "summary": summary, "tags": [tag], "security": [{}]}
    return {"get": {**told, "responses": responses}}


_READY = {"200": ("It can be sent requests.", _HEALTH), "503": ("Something that it needs is away.", _HEALTH)}

PLAIN: dict[str, dict[str, Any]] = {
    "/health/live": _asked(
        "health", "health_live", "Whether the process runs; no neighbour is asked.", {"200": ("It runs.", _HEALTH)}
    ),
    "/health/ready": _asked("health", "health_ready", "Whether it has what it needs, each part by name.", _READY),
    "/health": _asked("health", "health", "The same as /health/ready.", _READY),
    "/.well-known/jwks.json": _asked(
        "users", "jwks", "The public keys of access tokens (RFC 7517).", {"200": ("The keys.", _KEYS)}
    ),
    "/api/schema": _asked("schema", "schema", "This document.", {"200": ("OpenAPI 3.1.", {"type": "object"})}),
}
