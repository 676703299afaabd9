"""The figures on the first page: each domain hands in its own, and each leads to the records that it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from runtime.databases.transactions import is_outage

__all__ = ["Figure", "Figures", "Group", "count"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``alarming``: somebody should look. ``note`` explains the number in a few words."""

    title: str
    value: str
    address: str
    note: str = ""
    alarming: bool = False


def count(title: str, number: int, address: str, *, alarming: bool = False, note: str = "") -> Figure:
    """``alarming``: where the number is not nought, somebody should look."""
    return Figure(title=title, value=f"{number:,}", address=address, alarming=alarming and number > 0, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``failed``: its database could not be asked now. ``elsewhere``: the page that has the figures instead."""

    title: str
    figures: Sequence[Figure]
    failed: bool = False
    elsewhere: str = ""


type _Source = Callable[[], Sequence[Figure]]


class Figures:
    """Who has figures, in the order in which they were handed in. They are shown to whoever may look at the records."""

    def __init__(self) -> None:
        self._of_domains: dict[str, _Source] = {}
        self._of_machinery: dict[str, _Source] = {}

    def add(self, domain: str, source: _Source) -> None:
        """What the domain's own records come to. Asked whenever the first page is shown."""
        self._of_domains[domain] = source

    def add_machinery(self, domain: str, source: _Source) -> None:
        """What is under way in runtime's tables: the same figures for every domain."""
        self._of_machinery[domain] = source

    def of_domains(self, request: HttpRequest) -> list[Group]:
        """What is not hosted here is named, with the address where its process tells of it."""
        others = [
            Group(title=domain.capitalize(), figures=(), elsewhere=f"{settings.CONSOLE_PATH}/{domain}/")
            for domain in settings.DOMAIN_ALIASES
            if domain not in settings.HOSTED_DOMAINS and _may_see(domain, request)
        ]
        return [*_groups(self._of_domains, request), *others]

    def of_machinery(self, request: HttpRequest) -> list[Group]:
        return _groups(self._of_machinery, request)

    def of_one(self, domain: str, request: HttpRequest) -> dict[str, list[Group]]:
        """One domain's own ``groups``, and its ``machinery``."""
        every = {"groups": self._of_domains, "machinery": self._of_machinery}
        return {
            name: _groups({domain: sources[domain]} if domain in sources else {}, request)
            for name, sources in every.items()
        }


def _groups(sources: dict[str, _Source], request: HttpRequest) -> list[Group]:
    return [_asked(domain.capitalize(), source) for domain, source in sources.items() if _may_see(domain, request)]


def _may_see(domain: str, request: HttpRequest) -> bool:
    return bool(request.user.has_perm(f"{domain}.view_any"))


def _asked(title: str, source: _Source) -> Group:
    """One domain that cannot answer must not take the page from the others."""
    try:
        return Group(title=title, figures=source())
    except DatabaseError as error:
        if not is_outage(error):
            raise
        log.warning("no figures of %s: %s", title, error)
        return Group(title=title, figures=(), failed=True)
