"""
A process that works for domains says so to each of them, in a row of its own that goes with it.

What it cannot do although it lives, it says as well: a relay whose broker takes nothing, for one.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connections

from contracts._base import new_id
from runtime import timers
from runtime.pulses.models import Pulse
from runtime.timers import Timer

__all__ = ["BEAT_EVERY", "Heart", "ails", "well"]

log = logging.getLogger(__name__)

BEAT_EVERY = 5.0
"""Seconds."""
_KEPT = "1 hour"
"""For so long a process that died is still listed."""

_BEAT = """
INSERT INTO pulses_pulse AS p (id, role, host, pid, ailment, said, ails_since)
VALUES (%(id)s, %(role)s, %(host)s, %(pid)s, %(ailment)s, %(said)s,
        CASE WHEN %(ailment)s::text IS NULL THEN NULL ELSE clock_now() END)
ON CONFLICT (id) DO UPDATE SET beaten_at = clock_now(), ailment = EXCLUDED.ailment, said = EXCLUDED.said,
    ails_since = CASE WHEN EXCLUDED.ailment = p.ailment THEN p.ails_since ELSE EXCLUDED.ails_since END
"""
_FORGET = "DELETE FROM pulses_pulse WHERE beaten_at < clock_now() - %s::interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ailment:
    name: str
    said: str


_ailments: dict[str, _Ailment] = {}


def ails(domain: str, name: str, said: str) -> None:
    """
    From now on this process cannot do its work for the domain. ``name`` is what the runbook calls that, ``said`` the
    words of whoever said so.
    """
    _ailments[domain] = _Ailment(name=name, said=said[:500])


def well(domain: str) -> None:
    """It can again."""
    _ailments.pop(domain, None)


class Heart:
    """Of this process, which works in that role for each domain that is hosted here, until it takes its ``leave``."""

    def __init__(self, role: str) -> None:
        self._id, self._role = new_id(), role

    def timers(self) -> list[Timer]:
        """One for each domain, so that a database that is away does not keep the others from hearing of us."""
        return [
            Timer(name=f"{domain}.pulse", every=BEAT_EVERY, run=partial(self.beat, using=domain))
            for domain in settings.HOSTED_DOMAINS
        ]

    def beat(self, *, using: str) -> bool:
        """Once. Answers False: there is nothing more to do at once. Raises what the database raises."""
        ailment = _ailments.get(using)
        told: dict[str, UUID | str | int | None] = {
            "id": self._id,
            "role": self._role,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "ailment": ailment.name if ailment else None,
            "said": ailment.said if ailment else "",
        }
        with connections[using].cursor() as cursor:
            cursor.execute(_BEAT, told)
            cursor.execute(_FORGET, [_KEPT])
        return False

    def leave(self) -> None:
        """This process ends as it was told to: nobody is to miss it. A row that cannot be removed goes in an hour."""
        for domain in settings.HOSTED_DOMAINS:
            try:
                Pulse.objects.using(domain).filter(pk=self._id).delete()
            except DatabaseError as error:
                log.warning("%s is not told that its %s ends: %s", domain, self._role, error)

    def in_background(self) -> Callable[[], None]:
        """Beat in threads of their own, until what this answers is called: then it takes its leave."""
        stop = threading.Event()
        told = {"stop": stop}
        thread = threading.Thread(target=timers.run, args=(self.timers(),), kwargs=told, name="pulses", daemon=True)
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(BEAT_EVERY)
            self.leave()

        return end
