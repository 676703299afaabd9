"""Addresses of a test's own, with everything around them as in production."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.urls import URLPattern
from rest_framework.test import APIClient


@pytest.fixture
def serve(settings) -> Callable[..., APIClient]:
    """``client = serve(path("thing", Thing.as_view()))``: a client of these addresses and no others."""

    def start(*patterns: URLPattern) -> APIClient:
        problems = "runtime.http.problems.handler"
        handlers = {f"handler{status}": f"{problems}{status}" for status in (400, 403, 404, 500)}
        settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": list(patterns), **handlers})
        return APIClient(raise_request_exception=False)

    return start


@pytest.fixture
def signed_in() -> Callable[..., dict[str, str]]:
    """The headers of somebody who is signed in: ``client.get(path, headers=signed_in("support"))``."""
    from runtime.identity.tokens import issue  # Django has to be set up first

    def headers(*roles: str, user_id: object = None, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {issue(user_id=user_id or uuid4(), roles=roles)}", **more}

    return headers
