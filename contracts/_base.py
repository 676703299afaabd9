"""
The words every contract is written in: references, money, events, ids and the three kinds of bad news.

Plain Python on purpose: a client of a service can ship this package without Django, Celery or a database.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, ClassVar, Protocol, Self
from uuid import UUID

__all__ = [
    "Awaited",
    "ContractError",
    "DeadlineExceeded",
    "Event",
    "Figure",
    "InvalidMoney",
    "Listener",
    "Money",
    "Overseen",
    "Overview",
    "Ref",
    "Rejected",
    "Superseded",
    "Trouble",
    "Unavailable",
    "Unheard",
    "first_id",
    "new_id",
]

_CENT = Decimal("0.01")
_LARGEST_AMOUNT = Decimal(10) ** 16
_AMOUNT = re.compile(r"-?\d{1,16}(\.\d{1,2})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


# --- Bad news -------------------------------------------------------------------------------------------------------


class ContractError(Exception):
    """
    Something a contract foresees went wrong. Never raised itself: raise one of its kinds.

    ``code`` is stable and travels; ``data`` holds facts for the caller and travels too; ``may_have_run`` tells
    whether the call may have had its effect all the same. The first paragraph of a kind's docstring is its message.
    """

    code: ClassVar[str] = "error"
    may_have_run: bool = False

    def __init__(self, detail: str = "", **data: Any) -> None:
        self.detail = detail or _first_paragraph(type(self).__doc__)
        self.data: dict[str, Any] = data
        super().__init__(self.detail)


class Rejected(ContractError):
    """The business says no. Nothing was done; asking again with the same words gives the same answer."""

    code: ClassVar[str] = "rejected"


class Unavailable(ContractError):
    """The callee could not answer. It may or may not have run: ask again with the same key."""

    code: ClassVar[str] = "unavailable"
    may_have_run = True


class DeadlineExceeded(Unavailable):
    """The time allowed for this call was already spent, so it did not run."""

    code: ClassVar[str] = "deadline_exceeded"
    may_have_run = False


class Superseded(ContractError):
    """
    This was asked under a lease that somebody else has taken over since. Nothing was done.

    Whoever slept stops here: the new holder goes on from what is written down.
    """

    code: ClassVar[str] = "superseded"


def _first_paragraph(doc: str | None) -> str:
    """The message; what follows it is for programmers."""
    return " ".join((doc or "").strip().split("\n\n", 1)[0].split())


# --- References -----------------------------------------------------------------------------------------------------


class Ref[T]:
    """
    A typed handle on a domain's service: ``INVENTORY = Ref[InventoryService]("inventory")``.

    Where the service lives is decided by configuration; ``resolve(INVENTORY)`` gives something that keeps the
    Protocol's promise. (A value and not the Protocol class, since ``type[T]`` of a Protocol fails mypy strict. No
    frozen dataclass: Python notes the Protocol on the instance, and a frozen one would not take the note.)
    """

    def __init__(self, domain: str) -> None:
        self.domain = domain

    def __repr__(self) -> str:
        return f"Ref({self.domain!r})"


# --- Money ----------------------------------------------------------------------------------------------------------


class InvalidMoney(ValueError):
    """An amount of money has at most two decimal places, is finite, and has a three-letter currency."""


@dataclass(frozen=True, slots=True)
class Money:
    """
    An exact amount in one currency, always with two decimal places. Never a float.

    Raises InvalidMoney for more than two places, NaN, infinity, 10^16 or more, or a currency that is not three
    capital letters. Arithmetic and comparison across currencies raise InvalidMoney as well.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise InvalidMoney(f"an amount is a Decimal, not {self.amount!r}")
        if not self.amount.is_finite() or abs(self.amount) >= _LARGEST_AMOUNT:
            raise InvalidMoney(f"{self.amount} is not an amount of money")
        exact = self.amount.quantize(_CENT, rounding=ROUND_HALF_EVEN)
        if exact != self.amount:
            raise InvalidMoney(f"{self.amount} has more than two decimal places")
        if not isinstance(self.currency, str) or not _CURRENCY.fullmatch(self.currency):
            raise InvalidMoney(f"{self.currency!r} is not a currency: three capital letters, as in GBP")
        # The one place where a frozen value is touched: equal amounts then have equal text ("5" becomes "5.00").
        object.__setattr__(self, "amount", exact + Decimal(0))

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """From the wire's decimal string, at most two places: "12.5" is 12.50. Raises InvalidMoney."""
        if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
            raise InvalidMoney(f"{text!r} is not a decimal string with at most two places, as in 12.50")
        try:
            return cls(Decimal(text), currency)
        except InvalidOperation as error:
            raise InvalidMoney(f"{text!r} is not an amount of money") from error

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(Decimal("0.00"), currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other).amount, self.currency)

    def __mul__(self, count: int) -> Money:
        if not isinstance(count, int) or isinstance(count, bool):
            raise InvalidMoney(f"money is multiplied by a whole number, not by {count!r}")
        return Money(self.amount * count, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other).amount

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other).amount

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def _same(self, other: object) -> Money:
        if not isinstance(other, Money):
            raise InvalidMoney(f"{self} and {other!r} do not mix: the latter is no money")
        if self.currency != other.currency:
            raise InvalidMoney(f"{self} and {other} are in different currencies")
        return other


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    A fact in the past tense that nobody waits for. Subclasses are frozen keyword-only dataclasses of plain values.

    ``name`` and ``version`` are the wire's, never a Python path: renaming a class changes nothing that is stored.
    ``exchange`` and ``routing_key`` say where it is told; ``subject`` is the id of the aggregate it happened to.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    exchange: ClassVar[str]
    routing_key: ClassVar[str]

    @property
    def subject(self) -> str:
        """The id of the aggregate this happened to; events of one subject keep their order."""
        raise NotImplementedError(f"{type(self).__name__} does not say which aggregate it happened to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """An event that waits until the one with this sequence of its subject has come."""

    event_id: UUID
    subject: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Of the events that were asked about, those that never came; and those that hold up others by being away."""

    events: tuple[UUID, ...]
    awaited: tuple[Awaited, ...]


class Listener(Protocol):
    """What every domain can be asked about the events that others have told it."""

    def unheard(self, *, source: str, event_ids: tuple[UUID, ...]) -> Unheard:
        """
        Which of these events of that exchange have not come here, and which of its events are waited for.

        Whoever told them can then tell them again. Changes nothing.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    A number for people, and the console's page of what it counts: an address below ``/admin/``, the same in every
    topology. ``note`` explains it in a few words; ``alarming``: somebody should look. ``trend``: how it came to be, a
    number for each hour, the oldest first.
    """

    title: str
    value: str
    address: str
    note: str = ""
    alarming: bool = False
    trend: tuple[int, ...] = ()

    @property
    def peak(self) -> int:
        """The largest number of the trend."""
        return max(self.trend, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """
    Something is wrong, and a person should look: since when, and what to press on which page of the console.

    ``name`` is the section of the runbook; ``what`` one sentence. ``since``: None where nobody knows. ``press`` is what
    the page at ``address`` offers against it.
    """

    name: str
    what: str
    since: datetime | None
    address: str
    press: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a domain's records come to, what is under way in its outbox, inbox and processes, and what is wrong."""

    records: tuple[Figure, ...]
    machinery: tuple[Figure, ...]
    troubles: tuple[Trouble, ...] = ()


class Overseen(Protocol):
    """What every domain can be asked by whoever shows an operator all of them at once."""

    def overview(self) -> Overview:
        """How the domain does now, in figures. Changes nothing."""
        ...


# --- Ids ------------------------------------------------------------------------------------------------------------


def new_id() -> UUID:
    """
    A UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    Ids made later sort later, to the millisecond, so new rows land at the end of an index. Order of events is never
    read from it.
    """
    noise = int.from_bytes(os.urandom(10), "big")
    value = _began(time.time_ns() // 1_000_000)
    value |= 0x7 << 76
    value |= (noise >> 68) << 64
    value |= 0b10 << 62
    value |= noise & (2**62 - 1)
    return UUID(int=value)


def first_id(at: datetime) -> UUID:
    """Sorts before each id that was made then or later, by the clock of whoever made it."""
    return UUID(int=_began(int(at.timestamp() * 1000)))


def _began(milliseconds: int) -> int:
    return (milliseconds & (2**48 - 1)) << 80
