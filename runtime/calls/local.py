"""A call within one process, with a remote call's manners."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from runtime.calls.manners import Client, before_calling, perform
from runtime.calls.signatures import Method
from runtime.codec import copy


class LocalClient(Client):
    """Stands for a service in this process."""

    def __init__(self, *, domain: str, protocol: type, service: object) -> None:
        def make(method: Method) -> Callable[..., Any]:
            return _guarded(domain, method, getattr(service, method.name))

        super().__init__(domain=domain, protocol=protocol, make=make)


def _guarded(domain: str, method: Method, implementation: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(**arguments: Any) -> Any:
        before_calling(domain, method, arguments)
        copied = {name: copy(value, method.parameters[name]) for name, value in arguments.items()}
        return perform(domain, method.name, implementation, copied, finish=partial(copy, type_=method.returns))

    return invoke
