"""
A domain's answer to whoever shows the first page: its figures, and what is wrong with it.

Asked with little patience, since somebody waits who is told of a slow database sooner than of anything in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections, transaction
from psycopg2.errors import QueryCanceled

from contracts._base import Figure, Overview, Trouble
from runtime.console.machinery import machinery_figures
from runtime.console.records import address_of_list
from runtime.console.troubles import machinery_troubles

__all__ = ["overview_of"]

_PATIENCE = "1500ms"
"""For one statement."""
_SLOW = 0.5
"""Seconds that a few looks at small indexes do not take."""


def overview_of(
    domain: str,
    *,
    figures: Callable[[], Iterable[Figure]],
    troubles: Callable[[], Iterable[Trouble]] = tuple,
) -> Overview:
    """In one transaction. A database that is away or slow is what is wrong, and then nothing else is known."""
    try:
        with _patiently(domain):
            began = perf_counter()
            machinery, known = machinery_figures(domain), machinery_troubles(domain, values=settings.DYNAMIC_DOMAIN)
            slow = (_slow(domain),) if perf_counter() - began > _SLOW else ()
            return Overview(records=tuple(figures()), machinery=machinery, troubles=(*slow, *troubles(), *known))
    except (OperationalError, InterfaceError) as error:
        trouble = _slow(domain) if isinstance(error.__cause__, QueryCanceled) else _down(domain)
        return Overview(records=(), machinery=(), troubles=(trouble,))


@contextmanager
def _patiently(domain: str) -> Iterator[None]:
    with transaction.atomic(using=domain):
        with connections[domain].cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_PATIENCE])
        yield


def _slow(domain: str) -> Trouble:
    return Trouble(
        name="DatabaseSlow",
        what="The database takes far longer than it should for a small question.",
        since=None,
        address=address_of_list(domain, "pulse"),
        press="",
    )


def _down(domain: str) -> Trouble:
    return Trouble(
        name="DatabaseDown",
        what="The database does not answer.",
        since=None,
        address=f"{settings.CONSOLE_PATH}/{domain}/",
        press="",
    )
