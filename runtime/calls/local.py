"""A call within one process, with a remote call's manners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never

from django.db import Error as DatabaseError

from contracts._base import ContractError, Unavailable
from runtime.calls.context import current_call
from runtime.calls.signatures import Method, methods_of
from runtime.codec import copy
from runtime.databases.transactions import is_outage, open_transactions


class CallInsideTransaction(RuntimeError):
    """A call to another domain waits for somebody else; a transaction that is open meanwhile holds its locks."""


class BrokenService(RuntimeError):
    """The callee failed in a way its contract does not foresee. That is a bug: stop, mark, alarm. It may have run."""


class LocalClient:
    """Stands for a service in this process. Its methods are the Protocol's, and nothing else can be reached."""

    def __init__(self, *, domain: str, protocol: type, service: object) -> None:
        self._domain = domain
        self._methods = {
            method.name: _guarded(domain, method, getattr(service, method.name)) for method in methods_of(protocol)
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._methods[name]
        except KeyError:
            raise AttributeError(f"the contract of {self._domain} has no method {name!r}") from None


def _guarded(domain: str, method: Method, implementation: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(**arguments: Any) -> Any:
        _refuse_inside_transaction(domain, method.name)
        current_call().require_time()
        if unknown := arguments.keys() - method.parameters.keys():
            raise TypeError(f"{domain}.{method.name} has no parameter {', '.join(map(repr, sorted(unknown)))}")
        copied = {name: copy(value, method.parameters[name]) for name, value in arguments.items()}
        try:
            return copy(implementation(**copied), method.returns)
        except ContractError:
            raise
        except Exception as error:
            _translate(domain, method.name, error)

    invoke.__name__ = method.name
    return invoke


def _refuse_inside_transaction(domain: str, method: str) -> None:
    if aliases := open_transactions():
        raise CallInsideTransaction(
            f"{domain}.{method} was called inside a transaction on {', '.join(aliases)}: commit first, then call."
        )


def _translate(domain: str, method: str, error: Exception) -> Never:
    """As a remote caller would see it: an outage is Unavailable, all else is a bug."""
    if isinstance(error, DatabaseError) and is_outage(error):
        raise Unavailable(f"{domain} cannot reach its database") from error
    raise BrokenService(f"{domain}.{method} failed: {type(error).__name__}: {error}") from error
