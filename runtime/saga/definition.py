"""How a process is written down: its steps, each with its undo, and what a step may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from runtime.saga.run import Run


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
    transaction with the record of their success, and have no undo.
    """

    name: str
    do: Callable[[Run], Outcome]
    undo: Callable[[Run], Outcome] | None = None
    inquire: Callable[[Run], Outcome] | None = None
    pivot: bool = False
    local: bool = False

    def __post_init__(self) -> None:
        if self.local and (self.undo or self.inquire):
            raise ValueError(f"step {self.name!r} is local: its transaction undoes it, it can have no undo or inquire")


class Saga:
    """
    A process. Subclasses say ``name``, ``version``, ``domain``, ``steps``, and what to write when all is undone.

    ``deadline`` is in seconds from the start, by the database's clock, and ends nothing that is open beyond the pivot.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    domain: ClassVar[str]
    deadline: ClassVar[float | None] = None
    steps: ClassVar[tuple[Step, ...]]
    undone: ClassVar[Callable[[Run], None] | None] = None
    """Written in the transaction that ends the undoing."""

    _known: ClassVar[dict[tuple[str, int], type[Saga]]] = {}

    def __init_subclass__(cls) -> None:
        names = [step.name for step in cls.steps]
        if len(set(names)) != len(names):
            raise ValueError(f"{cls.__name__} has two steps of one name: {', '.join(names)}")
        if sum(step.pivot for step in cls.steps) > 1:
            raise ValueError(f"{cls.__name__} has more than one pivot")
        Saga._known[cls.name, cls.version] = cls

    @classmethod
    def pivot_index(cls) -> int:
        """The position of the pivot; that of the end where there is none."""
        return next((index for index, step in enumerate(cls.steps) if step.pivot), len(cls.steps))

    @classmethod
    def only_forward(cls) -> bool:
        """Whether there is nothing to turn back to: no undo, and nothing to write when all is undone."""
        return cls.undone is None and not any(step.undo for step in cls.steps)


class UnknownSaga(LookupError):
    """A run belongs to a definition that this code does not have."""


def definition_of(name: str, version: int) -> type[Saga]:
    """Raises UnknownSaga."""
    try:
        return Saga._known[name, version]
    except KeyError:
        raise UnknownSaga(f"there is no saga {name!r} of version {version} here") from None
