"""What a domain answers when somebody asks how it does: the other end of the first page."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

from contracts._base import Overview


class Overseeing:
    """Implements contracts._base.Overseen for the service of the domain that it names, by what config hands in."""

    domain: ClassVar[str]

    def overview(self) -> Overview:
        made: Callable[[], Overview] = import_string(settings.CONSOLE_OVERVIEWS[self.domain])
        return made()
