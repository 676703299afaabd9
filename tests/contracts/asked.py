"""Somebody who asks a service, by whatever way, and writes down what came: the value or the error, whole."""

from __future__ import annotations

import re
from typing import Any

from contracts._base import ContractError
from tests.topologies.appearances import Appearances

_TIME = re.compile(r"datetime\.datetime\([\d, ]+")


class Asked:
    """
    ``told`` is every answer as Python shows it, types and all, without what differs in each run; ``outcomes`` are the
    answers in a word: the status or state, the code of an error.
    """

    def __init__(self, service: Any) -> None:
        self._service = service
        self._appearances = Appearances()
        self.told: list[str] = []
        self.outcomes: list[str] = []
        self.methods: set[str] = set()

    def ask(self, method: str, /, **arguments: Any) -> Any:
        """The answer; None for an error."""
        self.methods.add(method)
        try:
            answer = getattr(self._service, method)(**arguments)
        except ContractError as error:
            self._write(method, f"{type(error)!r} {error.code} {error.detail!r} {error.data!r} {error.may_have_run}")
            self.outcomes.append(error.code)
            return None
        self._write(method, repr(answer))
        self.outcomes.append(_in_a_word(answer))
        return answer

    def quietly(self, method: str, /, **arguments: Any) -> Any:
        """Asked and not written down: how often one asks depends on the clock. An error's code is an answer."""
        try:
            return getattr(self._service, method)(**arguments)
        except ContractError as error:
            return error.code

    def _write(self, method: str, text: str) -> None:
        self.told.append(f"{method}: {self._appearances.replace(_TIME.sub('datetime.datetime(…', text))}")


def _in_a_word(answer: Any) -> str:
    for name in ("status", "state"):
        if hasattr(answer, name):
            return str(getattr(answer, name))
    if isinstance(answer, tuple):
        return f"{len(answer)} of them"
    if hasattr(answer, "items"):
        return f"{len(answer.items)} of them, {'and more' if answer.next else 'the last'}"
    if hasattr(answer, "done"):
        return "done" if answer.done else "owed"
    return type(answer).__name__
