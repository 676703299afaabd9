"""Where each domain answers, for this process: by the settings, watched from the first question on."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from django.conf import settings

from runtime.discovery.choosing import Choice, NoInstance
from runtime.discovery.consul import Consul, Passing
from runtime.discovery.instances import Instance, Source
from runtime.discovery.names import Names
from runtime.discovery.watching import Watch

type _Address = tuple[str, str, str, str | None]
"""How, which domain, where, and Consul's token."""


@dataclass(slots=True)
class _Known:
    choice: Choice
    watch: Watch | None = None


@dataclass(slots=True)
class _Process:
    """What one process knows."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[_Address, _Known] = field(default_factory=dict)


_process = _Process()


def _begin_anew() -> None:
    """A child of a fork has none of its parent's threads, and perhaps a lock that nobody will ever let go."""
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_begin_anew)


def is_known(domain: str) -> bool:
    """Whether the settings say where this domain is to be looked for."""
    return settings.DISCOVERY == "consul" or domain in settings.SERVICE_URLS


def choose(domain: str, *, seconds: float, besides: Collection[Instance] = ()) -> Instance:
    """
    One that hosts this domain; none of those that were asked already (``besides``). Tell afterwards how it went.

    Raises NoInstance, which has not run. Waits for nobody once the domain was looked up; the first time at most
    ``seconds``.
    """
    known = _known(domain)
    if known.watch is not None:
        known.watch.await_first_look(seconds)
    found = known.choice.choose(besides=besides)
    if found is None:
        raise NoInstance(f"nobody is known who hosts {domain} now")
    return found


def told(instance: Instance, *, ok: bool | None) -> None:
    """
    Whether the instance that was chosen could be reached, None where nobody can say. One that could not is set aside
    for a while.
    """
    known = _known(instance.domain)
    known.choice.told(instance, ok=ok)
    if ok is False and known.watch is not None:
        known.watch.look_again()


def _known(domain: str) -> _Known:
    process, address = _process, _address(domain)
    if (known := process.known.get(address)) is None:
        with process.lock:
            if (known := process.known.get(address)) is None:
                known = process.known[address] = _begin(address)
    return known


def _address(domain: str) -> _Address:
    if settings.DISCOVERY == "consul":
        return "consul", domain, settings.CONSUL_URL, settings.CONSUL_TOKEN
    return settings.DISCOVERY, domain, settings.SERVICE_URLS.get(domain, ""), None


def _begin(address: _Address) -> _Known:
    how, domain, where, token = address
    if how == "static":
        choice = Choice()
        choice.update(Instance(domain, url) for url in where.split(",") if url)
        return _Known(choice)
    source: Source = Names(where, domain=domain) if how == "dns" else Passing(Consul(where, token=token), domain=domain)
    watch = Watch(source, name=domain)
    return _Known(watch.choice, watch)
