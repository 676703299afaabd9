"""Pages beside a list: a way out of it (a file to keep) or into it (a file to bring in)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["Door"]


class Door(ABC):
    """``name`` is the last part of its address. It is offered to, and opened for, whoever has the permission."""

    name: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str]
    permission: ClassVar[str]
    dangerous: ClassVar[bool] = False
    takes_question: ClassVar[bool] = False
    """What the list was asked, its search and its filters, goes along."""

    @abstractmethod
    def view(self, request: HttpRequest, pages: Any) -> HttpResponseBase:
        """``pages`` are the Records that it stands beside."""
