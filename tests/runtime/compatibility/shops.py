"""A small contract, and all that can be changed of one: each a version of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID

from contracts._base import ContractError, Event, Money, Rejected, Unavailable
from runtime.compatibility import Contract, Snapshot, snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Both asked with and answered."""

    id: UUID
    weight: int
    label: str | None
    size: Literal["small", "large"]
    price: Money
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSent(Event):
    name: ClassVar[str] = "ParcelSent"
    exchange: ClassVar[str] = "parcels"
    routing_key: ClassVar[str] = "parcel.sent"
    parcel_id: UUID
    at: datetime
    weight: int | None = None


class ParcelLost(Rejected):
    """It is lost."""

    code: ClassVar[str] = "parcel_lost"


class ScalesBroken(Unavailable):
    """Nobody knows what it weighs."""

    code: ClassVar[str] = "scales_broken"


class Parcels(Protocol):
    def find(self, *, parcel_id: UUID, closely: bool = False) -> Parcel:
        """Raises ParcelLost. Says ScalesBroken in passing."""
        ...

    def send(self, *, key: str, parcels: Sequence[Parcel]) -> None:
        """Raises as find does, and ScalesBroken."""
        ...


def taken(
    protocol: type = Parcels,
    *,
    events: Sequence[type[Event]] = (ParcelSent,),
    errors: Sequence[type[ContractError]] = (ParcelLost, ScalesBroken),
) -> Snapshot:
    return snapshot(Contract(domain="parcels", protocol=protocol, events=events, errors=errors))


def answering(fields: dict[str, Any], *, name: str = "Box", **defaults: Any) -> Snapshot:
    """Of a contract whose one method answers a value with these fields."""
    box = value(fields, name=name, **defaults)

    class Boxes(Protocol):
        def find(self) -> box: ...  # type: ignore[valid-type]

    Boxes.find.__annotations__ = {"return": box}
    return taken(Boxes, events=(), errors=())


def asking(fields: dict[str, Any], *, name: str = "Box", **defaults: Any) -> Snapshot:
    """Of a contract whose one method takes a value with these fields."""
    box = value(fields, name=name, **defaults)

    class Boxes(Protocol):
        def keep(self, *, box: Any) -> None: ...

    Boxes.keep.__annotations__ = {"box": box, "return": None}
    return taken(Boxes, events=(), errors=())


def telling(fields: dict[str, Any], *, version: int = 1, **defaults: Any) -> Snapshot:
    """Of a contract that only tells an event with these fields."""
    classvars = {"name": "BoxSent", "version": version, "exchange": "boxes", "routing_key": "box.sent"}
    event = value(fields, name="BoxSent", bases=(Event,), namespace=classvars, **defaults)

    class Silent(Protocol):
        pass

    return taken(Silent, events=(event,), errors=())


def value(
    fields: dict[str, Any],
    *,
    name: str = "Box",
    bases: tuple[type, ...] = (),
    namespace: dict[str, Any] | None = None,
    **defaults: Any,
) -> Any:
    """A frozen dataclass."""
    return dataclass(frozen=True, kw_only=True)(
        type(name, bases, {"__annotations__": dict(fields), "__module__": __name__, **(namespace or {}), **defaults})
    )
