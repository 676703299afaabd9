"""What may be changed while everything runs: each value's kind, default, bounds and meaning, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings

from contracts._base import Rejected

__all__ = ["DURATION", "FLAG", "WHOLE", "BadValue", "Declared", "Kind", "UnknownValue", "declared", "require"]


class BadValue(Rejected):
    """This value cannot be used."""

    code: ClassVar[str] = "bad_value"


class UnknownValue(Rejected):
    """There is no such value."""

    code: ClassVar[str] = "unknown_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    ``parse`` makes of a text what programs work with, or raises ValueError; ``show`` writes that as the text it is kept
    as. ``wanted`` ends the sentence "it is ...".
    """

    name: str
    wanted: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """
    One value. Its default is ``default``, a text, or whatever the setting of the name ``setting`` says where this
    process runs. ``least`` and ``most`` are texts too, and are themselves allowed.
    """

    key: str
    kind: Kind
    description: str
    default: str | None = None
    setting: str | None = None
    least: str | None = None
    most: str | None = None

    def parse(self, text: str) -> Any:
        """What programs work with. Raises BadValue, with a sentence that names the value and its bounds."""
        try:
            found = self.kind.parse(text)
        except ValueError:
            raise self._refused(text) from None
        if (self.least is not None and found < self.kind.parse(self.least)) or (
            self.most is not None and found > self.kind.parse(self.most)
        ):
            raise self._refused(text)
        return found

    def canonical(self, text: str) -> str:
        """The text as it is kept. Raises BadValue."""
        return self.kind.show(self.parse(text.strip()))

    def initial(self) -> Any:
        """The default. The environment's own may be beyond the bounds, which are for changes."""
        if self.setting is None:
            return self.kind.parse(self.default or "")
        found = getattr(settings, self.setting)
        return self.kind.parse(found) if isinstance(found, str) else found

    def shown(self, value: Any) -> str:
        return self.kind.show(value)

    @property
    def bounds(self) -> str:
        """As in "from 100ms to 60s"; empty where there are none but its kind's."""
        least, most = self.least and f"from {self.least}", self.most and f"to {self.most}"
        return " ".join(part for part in (least, most) if part)

    def _refused(self, text: str) -> BadValue:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        bounds = f", {self.bounds}" if self.bounds else ""
        return BadValue(f"{self.key}={shown!r} cannot be used: it is {self.kind.wanted}{bounds}.")


def declared() -> Mapping[str, Declared]:
    """By key, in the order in which they were written down."""
    return {each.key: each for each in settings.DYNAMIC_VALUES}


def require(key: str) -> Declared:
    """Raises UnknownValue."""
    found = declared().get(key)
    if found is None:
        raise UnknownValue(f"There is no value {key!r} that can be changed.")
    return found


# --- Kinds ----------------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


def _show_duration(seconds: float) -> str:
    """In the largest unit of which it is a whole number, milliseconds otherwise."""
    for unit, size in _UNITS.items():
        if unit in ("s", "ms") or seconds < size:
            continue
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.3f}".rstrip("0").rstrip(".") + "ms"


def _flag(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError(text)
    return text == "on"


WHOLE = Kind(name="whole number", wanted="a whole number", parse=_whole)
DURATION = Kind(
    name="duration", wanted="a number with ms, s, m, h or d, as in 3s", parse=_duration, show=_show_duration
)
FLAG = Kind(name="switch", wanted="on or off", parse=_flag, show=lambda on: "on" if on else "off")
