"""What a contract's Protocol promises, read once: methods, parameters and types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    name: str
    parameters: Mapping[str, Any]
    returns: Any
    optional: frozenset[str]
    positional: frozenset[str]

    @property
    def is_keyed(self) -> bool:
        """Its callee knows a call again by its ``key``: asked twice, it is done once."""
        return "key" in self.parameters


@cache
def methods_of(protocol: type) -> tuple[Method, ...]:
    """The public methods that a Protocol declares."""
    return tuple(
        read_method(member)
        for name, member in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_")
    )


def read_method(function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    return Method(
        name=function.__name__,
        parameters={p.name: hints.get(p.name, Any) for p in parameters},
        returns=hints.get("return", Any),
        optional=frozenset(p.name for p in parameters if p.default is not p.empty),
        positional=frozenset(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY),
    )


def differences(protocol: type, service: type) -> list[str]:
    """Where an implementation breaks its Protocol's word, a sentence each. Empty where it keeps it."""
    return [text for method in methods_of(protocol) for text in _method_differences(method, service)]


def _method_differences(promised: Method, service: type) -> list[str]:
    where = f"{service.__name__}.{promised.name}"
    function = inspect.getattr_static(service, promised.name, None)
    # A class that inherits the Protocol also inherits its empty bodies, which run and answer None.
    if not inspect.isfunction(function) or function.__qualname__.split(".")[0] == _protocol_name(service, function):
        return [f"{where} is missing"]
    given, found = read_method(function), []
    if given.positional:
        found.append(f"{where} takes {_listed(given.positional)} by position: a wire format has names")
    for name in sorted(set(promised.parameters) - set(given.parameters)):
        found.append(f"{where} lacks the parameter {name!r}")
    for name in sorted(set(given.parameters) - set(promised.parameters) - given.optional):
        found.append(f"{where} wants a parameter {name!r} that the contract does not have")
    for name, type_ in promised.parameters.items():
        if name in given.parameters and given.parameters[name] != type_:
            found.append(f"{where} takes {name} as {given.parameters[name]}, the contract says {type_}")
    if given.returns != promised.returns:
        found.append(f"{where} answers {given.returns}, the contract says {promised.returns}")
    return found


def _protocol_name(service: type, function: Callable[..., Any]) -> str | None:
    owner = function.__qualname__.split(".")[0]
    return next(
        (c.__name__ for c in service.__mro__ if c.__name__ == owner and getattr(c, "_is_protocol", False)), None
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
