"""From a Ref to something that answers, by the topology that config hands in."""

from __future__ import annotations

from functools import cache
from typing import cast, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from contracts._base import Ref
from runtime.calls.local import LocalClient
from runtime.calls.manners import Client
from runtime.calls.remote import RemoteClient
from runtime.discovery import is_known


def protocol_of[T](ref: Ref[T]) -> type[T]:
    """The Protocol that a Ref was made for: ``Ref[InventoryService]("inventory")`` remembers it."""
    arguments = get_args(getattr(ref, "__orig_class__", None))
    if not arguments:
        raise ImproperlyConfigured(f"write Ref[SomeService]({ref.domain!r}): a bare Ref does not say what it promises")
    return cast(type[T], arguments[0])


def resolve[T](ref: Ref[T]) -> T:
    """
    The service behind a reference.

    In this process where it hosts the domain, else over HTTP to where discovery finds it. Its methods raise
    what the contract names, Unavailable, or BrokenService; CallInsideTransaction where a transaction is open. Raises
    ImproperlyConfigured for a domain that this process has no way to.
    """
    return cast(T, _client(ref))


@cache
def _client(ref: Ref[object]) -> Client:
    domain = ref.domain
    if domain in settings.HOSTED_DOMAINS:
        service = import_string(settings.SERVICES[domain])
        return LocalClient(domain=domain, protocol=protocol_of(ref), service=service)
    if is_known(domain):
        return RemoteClient(domain=domain, protocol=protocol_of(ref))
    raise ImproperlyConfigured(
        f"{domain} is not hosted here, and {domain.upper()}_URL is not set: give it the address of the inside port of "
        f"a process that hosts {domain}, as in http://10.0.0.7:8001"
    )
