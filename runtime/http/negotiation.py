"""Which form an answer has: always the view's own."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

__all__ = ["JsonAlways"]


class JsonAlways(DefaultContentNegotiation):
    """Answers are JSON whatever Accept says (RFC 9110, 12.4.1, leaves that to us), so that no header makes a 406."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
