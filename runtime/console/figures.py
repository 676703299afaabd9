"""
The first page: each domain is asked how it does, wherever it is hosted, and each figure leads to what it counts.

One that cannot be asked says so in its place, and takes nothing from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.timesince import timesince

from contracts._base import Figure, Overseen, Overview, Ref, Trouble, Unavailable
from runtime.calls import BrokenService, call, resolve
from runtime.console.panels import moment

__all__ = ["Alarm", "Group", "alarms_of", "count", "groups_of"]

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that a domain may take to answer. All are asked at the same time."""


def count(title: str, number: int, address: str, *, alarming: bool = False, note: str = "") -> Figure:
    """``alarming``: where the number is not nought, somebody should look."""
    return Figure(title=title, value=f"{number:,}", address=address, alarming=alarming and number > 0, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A domain on the first page, and its own page. ``failed``: it could not be asked now."""

    title: str
    address: str
    figures: Sequence[Figure] = ()
    machinery: Sequence[Figure] = ()
    troubles: Sequence[Trouble] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A trouble, and where: several domains that say the same of themselves are one."""

    trouble: Trouble
    where: tuple[str, ...]

    @property
    def since(self) -> str:
        """When it began, and how long ago that is once it is a minute. Empty where nobody knows."""
        began = self.trouble.since
        if began is None:
            return ""
        lasts = datetime.now(UTC) - began
        return f"Since {moment(began)} UTC{f', for {timesince(began)}' if lasts >= timedelta(minutes=1) else ''}."


def alarms_of(groups: Sequence[Group]) -> list[Alarm]:
    """What is wrong, what began first coming first: the others often follow from it."""
    found: dict[tuple[str, str], Alarm] = {}
    for group in groups:
        for trouble in group.troubles:
            other = found.get((trouble.name, trouble.what))
            where = (*other.where, group.title) if other else (group.title,)
            first = other.trouble if other and _began(other.trouble) <= _began(trouble) else trouble
            found[trouble.name, trouble.what] = Alarm(trouble=first, where=where)
    return sorted(found.values(), key=lambda alarm: _began(alarm.trouble))


def _began(trouble: Trouble) -> datetime:
    return trouble.since or datetime.max.replace(tzinfo=UTC)


def groups_of(request: HttpRequest, *only: str) -> list[Group]:
    """All domains, or only these: of those whose records this operator may see, in the order of CONSOLE_OVERVIEWS."""
    wanted = [domain for domain in settings.CONSOLE_OVERVIEWS if domain in only or not only]
    domains = [domain for domain in wanted if request.user.has_perm(f"{domain}.view_any")]
    far = [domain for domain in domains if domain not in settings.HOSTED_DOMAINS]
    with ThreadPoolExecutor(max_workers=len(far) or 1, thread_name_prefix="overview") as threads:
        # Each goes on in a copy of this request's context: its trace, its id.
        waiting = {domain: threads.submit(copy_context().run, _asked, domain) for domain in far}
        near = {domain: _asked(domain) for domain in domains if domain not in waiting}
        found = {**near, **{domain: one.result() for domain, one in waiting.items()}}
    return [_group(domain, found[domain]) for domain in domains]


def _group(domain: str, found: Overview | None) -> Group:
    title, address = domain.capitalize(), f"{settings.CONSOLE_PATH}/{domain}/"
    if found is None:
        return Group(title=title, address=address, troubles=(_not_asked(address),), failed=True)
    return Group(
        title=title,
        address=address,
        figures=found.records,
        machinery=found.machinery,
        troubles=found.troubles,
        failed=not found.machinery,
    )


def _not_asked(address: str) -> Trouble:
    what = "Its web servers do not answer, or with an error."
    return Trouble(name="ProcessDown", what=what, since=None, address=address, press="")


def _asked(domain: str) -> Overview | None:
    """None where it cannot be asked, or where it fails: that is its own log's to tell."""
    ref: Ref[Overseen] = import_string(settings.CONTRACTS[domain])
    try:
        with call(seconds=PATIENCE):
            return resolve(ref).overview()
    except (Unavailable, ImproperlyConfigured) as error:
        log.warning("no figures of %s: %s", domain, error)
    except BrokenService:
        log.exception("no figures of %s", domain)
    return None
