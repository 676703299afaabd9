"""
A call within one process, with a remote call's manners.

What crosses is a copy, as it would arrive over the wire. What nobody can change is its own: runtime.codec.unchangeable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runtime.calls.counting import counted
from runtime.calls.manners import LARGEST_ANSWER, Client, before_calling, packed, packed_answer, perform
from runtime.calls.signatures import Method
from runtime.codec import decode
from runtime.codec.unchangeable import weigher
from runtime.http.parser import LARGEST_BODY


class LocalClient(Client):
    """Stands for a service in this process."""

    def __init__(self, *, domain: str, protocol: type, service: object) -> None:
        def make(method: Method) -> Callable[..., Any]:
            return _guarded(domain, method, getattr(service, method.name))

        super().__init__(domain=domain, protocol=protocol, make=make)


def _guarded(domain: str, method: Method, implementation: Callable[..., Any]) -> Callable[..., Any]:
    weigh = {name: weigher(type_) for name, type_ in method.parameters.items()}
    weigh_answer = weigher(method.returns)

    def invoke(**arguments: Any) -> Any:
        before_calling(domain, method, arguments)
        if not _fits(LARGEST_BODY, (weigh[name](value) for name, value in arguments.items())):
            sent = packed(domain, method, arguments)
            arguments = {name: decode(value, method.parameters[name]) for name, value in sent.items()}
        return perform(domain, method.name, implementation, arguments, finish=answered)

    def answered(value: Any) -> Any:
        if _fits(LARGEST_ANSWER, (weigh_answer(value),)):
            return value
        return decode(packed_answer(value, method.returns), method.returns)

    return counted(domain, method.name, "local", invoke)


def _fits(limit: int, weights: Iterable[int | None]) -> bool:
    """Whether these are their own copies, and not too large to travel."""
    total = _NAMES
    for weight in weights:
        if weight is None:
            return False
        total += weight
    return total <= limit


_NAMES = 1024
"""Bytes, more than the names of the arguments take."""
