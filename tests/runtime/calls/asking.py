"""Asking as a service does, and as nobody should, through everything that stands before the callee."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from runtime.identity import service_tokens

PORT = 8001
JSON = "application/json"


def ask(
    address: str = "depot/count",
    body: Any = b'{"shelf": "four"}',
    *,
    token: str | None = "",
    method: str = "POST",
    content_type: str = JSON,
    port: int = PORT,
    **headers: str,
) -> tuple[int, Any, Any]:
    """Status, body and response. ``token``: a good one unless it is said; None is none."""
    given = service_tokens.issue(audience="depot") if token == "" else token
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if given is not None:
        sent.setdefault("Authorization", f"Bearer {given}")
    answer = Client().generic(
        method,
        f"/internal/contracts/{address}",
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type=content_type,
        headers=sent,
        SERVER_PORT=str(port),
    )
    return answer.status_code, json.loads(answer.content or b"null"), answer


def refused(answer: tuple[int, Any, Any]) -> tuple[int, str]:
    status, problem, response = answer
    assert response["Content-Type"] == "application/problem+json"
    return status, problem["code"]
