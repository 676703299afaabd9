"""How a process is written down: its steps, each with its undo, and what a step may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from runtime.saga.run import Run


MAY_BE_FURTHER = "may_be_further"
"""Noted in a run's data when a lease is taken over that was never given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The step may or may not have had its effect. It is inquired about until that is known; it is never guessed."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The step goes on elsewhere and an event will say how it ended. Look again after so many seconds at the latest."""

    look_again: float = 15.0


Outcome = Unknown | Waiting | None
"""None: the step succeeded. A step that is refused raises Rejected; one that could not be asked raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One step. ``do`` and ``undo`` are idempotent for a run; ``undo`` also stands that ``do`` never ran, or runs later.

    ``inquire`` is asked instead of ``do`` once the outcome is open. ``pivot`` marks the step after which the process
    only goes forward: no deadline ends it any more. ``local`` steps only write in their own domain: they run inside one
    transaction with the record of their success, and have no undo. ``deadline`` is how many seconds the step may take
    before all is undone, from when it was first come to, by the database's clock; it never ends what is unknown.
    """

    name: str
    do: Callable[[Run], Outcome]
    undo: Callable[[Run], Outcome] | None = None
    inquire: Callable[[Run], Outcome] | None = None
    pivot: bool = False
    local: bool = False
    deadline: float | None = None

    def __post_init__(self) -> None:
        if self.deadline is not None and self.deadline <= 0:
            raise ValueError(f"step {self.name!r} has a deadline of {self.deadline} s: it has to be more than 0")
        if self.local and (self.undo or self.inquire):
            raise ValueError(f"step {self.name!r} is local: its transaction undoes it, it can have no undo or inquire")


class Saga:
    """
    A process. Subclasses say ``name``, ``version``, ``domain``, ``steps``, and what to write when all is undone.

    ``deadline`` is in seconds from the start, by the database's clock, and ends nothing that is open beyond the pivot.
    ``patience`` is how many seconds one step may be tried for, five times at the least, before a person has to look
    (default: the setting SAGA_PATIENCE). A change of the steps is a new ``version``, in a class beside the old one,
    which stays until its last run has ended: each run goes on as it was begun.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    domain: ClassVar[str]
    deadline: ClassVar[float | None] = None
    patience: ClassVar[float | None] = None
    steps: ClassVar[tuple[Step, ...]]
    undone: ClassVar[Callable[[Run], None] | None] = None
    """Written in the transaction that ends the undoing."""
    can_be_given_up: ClassVar[bool] = False
    """An operator may end a process that only goes forward: what it was to do is settled by hand, or needless."""

    _known: ClassVar[dict[tuple[str, int], type[Saga]]] = {}

    def __init_subclass__(cls) -> None:
        names = [step.name for step in cls.steps]
        if len(set(names)) != len(names):
            raise ValueError(f"{cls.__name__} has two steps of one name: {', '.join(names)}")
        if sum(step.pivot for step in cls.steps) > 1:
            raise ValueError(f"{cls.__name__} has more than one pivot")
        late = [step.name for step in cls.steps[cls.pivot_index() + 1 :] if step.deadline is not None]
        if late:
            raise ValueError(f"{cls.__name__} cannot turn back after its pivot: {', '.join(late)} can have no deadline")
        if (other := Saga._known.get((cls.name, cls.version))) and other.__qualname__ != cls.__qualname__:
            raise ValueError(f"{cls.__name__} and {other.__name__} are both {cls.name!r} of version {cls.version}")
        Saga._known[cls.name, cls.version] = cls

    @classmethod
    def pivot_index(cls) -> int:
        """The position of the pivot; that of the end where there is none."""
        return next((index for index, step in enumerate(cls.steps) if step.pivot), len(cls.steps))

    @classmethod
    def furthest(cls, *, step: int, data: Mapping[str, Any]) -> int:
        """
        The last step that may have been begun, where the row says ``step``: progress is not written between two steps
        forward, and whoever held the lease before may have died there.
        """
        return len(cls.steps) - 1 if data.get(MAY_BE_FURTHER) else step

    @classmethod
    def only_forward(cls) -> bool:
        """Whether there is nothing to turn back to: no undo, and nothing to write when all is undone."""
        return cls.undone is None and not any(step.undo for step in cls.steps)


class UnknownSaga(LookupError):
    """A run belongs to a definition that this code does not have. It is left to a process that has it."""


def known_definitions(domain: str) -> frozenset[tuple[str, int]]:
    """Name and version of each process that this code can go on with."""
    return frozenset(key for key, saga in Saga._known.items() if saga.domain == domain)


def definition_of(name: str, version: int) -> type[Saga]:
    """Raises UnknownSaga."""
    try:
        return Saga._known[name, version]
    except KeyError:
        raise UnknownSaga(f"there is no saga {name!r} of version {version} here") from None
