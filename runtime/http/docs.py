"""``/api/docs``: the documentation, for people."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

__all__ = ["DocsView"]


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, served from here to the last byte."""

    authentication_classes = []
    permission_classes = [AllowAny]
    url = "/api/schema"
    title = "Mitosis"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        # The API goes by tokens and never by cookies: a token against forgery would only make each answer another one.
        response.data["csrf_token"] = ""
        response["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "connect-src 'self'; frame-ancestors 'none'"
        )
        return response
