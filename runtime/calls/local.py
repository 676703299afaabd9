"""A call within one process, with a remote call's manners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.calls.counting import counted
from runtime.calls.manners import Client, before_calling, packed, packed_answer, perform
from runtime.calls.signatures import Method
from runtime.codec import decode


class LocalClient(Client):
    """Stands for a service in this process."""

    def __init__(self, *, domain: str, protocol: type, service: object) -> None:
        def make(method: Method) -> Callable[..., Any]:
            return _guarded(domain, method, getattr(service, method.name))

        super().__init__(domain=domain, protocol=protocol, make=make)


def _guarded(domain: str, method: Method, implementation: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(**arguments: Any) -> Any:
        before_calling(domain, method, arguments)
        sent = packed(domain, method, arguments)
        arrived = {name: decode(value, method.parameters[name]) for name, value in sent.items()}
        return perform(domain, method.name, implementation, arrived, finish=answered)

    def answered(value: Any) -> Any:
        return decode(packed_answer(value, method.returns), method.returns)

    return counted(domain, method.name, "local", invoke)
