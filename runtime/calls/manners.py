"""What a call may not do and how it may fail, the same for a local and a remote one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Never

from django.db import Error as DatabaseError

from contracts._base import ContractError, Unavailable
from runtime.calls.context import current_call
from runtime.calls.signatures import Method, methods_of
from runtime.codec import NotDecodable, pack, to_plain
from runtime.databases.transactions import is_outage, open_transactions
from runtime.http.parser import LARGEST_BODY

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes. The largest honest answer, a page of an audit, stays below one of these megabytes."""


class CallInsideTransaction(RuntimeError):
    """A call to another domain waits for somebody else; a transaction that is open meanwhile holds its locks."""


class BrokenService(RuntimeError):
    """The callee failed in a way its contract does not foresee. That is a bug: stop, mark, alarm. It may have run."""


class CrashedService(BrokenService):
    """The callee was asked rightly, and failed. It may have run, and may be itself again in a moment."""


class Client:
    """Stands for a service. Its methods are the Protocol's, and nothing else can be reached."""

    def __init__(self, *, domain: str, protocol: type, make: Callable[[Method], Callable[..., Any]]) -> None:
        self._domain = domain
        self._methods = {method.name: _named(make(method), method.name) for method in methods_of(protocol)}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._methods[name]
        except KeyError:
            raise AttributeError(f"the contract of {self._domain} has no method {name!r}") from None


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = name
    return function


def before_calling(domain: str, method: Method, arguments: Iterable[str]) -> None:
    """Raises CallInsideTransaction, DeadlineExceeded where no time is left, and TypeError for an unknown argument."""
    if aliases := open_transactions():
        raise CallInsideTransaction(
            f"{domain}.{method.name} was called inside a transaction on {', '.join(aliases)}: commit first, then call."
        )
    current_call().require_time()
    if unknown := set(arguments) - method.parameters.keys():
        raise TypeError(f"{domain}.{method.name} has no parameter {', '.join(map(repr, sorted(unknown)))}")


def packed(domain: str, method: Method, arguments: Mapping[str, Any]) -> dict[str, bytes]:
    """
    The arguments as they travel. Raises NotDecodable for what cannot, and BrokenService for more than a callee takes.
    """
    found = {name: pack(value, method.parameters[name]) for name, value in arguments.items()}
    # Quotes, colon and comma for each, and the braces.
    if sum(len(name) + len(value) + 4 for name, value in found.items()) + 1 > LARGEST_BODY:
        raise BrokenService(
            f"{domain}.{method.name} failed: its arguments are larger than {LARGEST_BODY:,} bytes; it did not run"
        )
    return found


def packed_answer(value: Any, type_: Any) -> bytes:
    """The answer as it travels. Raises NotDecodable where it cannot, also for its size."""
    answer = pack(value, type_)
    if len(answer) > LARGEST_ANSWER:
        raise NotDecodable(f"the answer is larger than {LARGEST_ANSWER:,} bytes")
    return answer


def perform[R](
    domain: str,
    method: str,
    implementation: Callable[..., Any],
    arguments: Mapping[str, Any],
    finish: Callable[[Any], R],
) -> R:
    """
    The callee's part: run it, and make of its answer what goes back. What it raises is a remote caller's news as well.

    An error of the contract comes out as itself, its facts as plain JSON; an outage is Unavailable, all else a bug.
    """
    try:
        return finish(implementation(**arguments))
    except ContractError as error:
        error.data = _plain(domain, method, error)
        raise
    except Exception as error:
        _translate(domain, method, error)


def _plain(domain: str, method: str, error: ContractError) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = to_plain(error.data, dict[str, Any])
    except Exception as reason:
        raise CrashedService(f"{domain}.{method} failed: the facts of {error.code} cannot travel: {reason}") from error
    return plain


def _translate(domain: str, method: str, error: Exception) -> Never:
    if isinstance(error, DatabaseError) and is_outage(error):
        raise Unavailable(f"{domain} cannot reach its database") from error
    raise CrashedService(f"{domain}.{method} failed: {type(error).__name__}: {error}") from error
