"""All that is left to chance in a run: one generator for a seed, and the faults that it may deal."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FAULTS: Mapping[str, float] = {
    "power cut": 0.02,
    "power cut at a webhook": 0.12,
    "call fails before it runs": 0.03,
    "call's answer is lost": 0.04,
    "call is on its way for long": 0.05,
    "customer's answer is lost": 0.15,
    "commit fails": 0.004,
    "commit's answer is lost": 0.008,
    "save's answer is lost": 0.03,
    "holder sleeps": 0.02,
    "clock jumps past a lease": 0.012,
    "clock jumps past a step": 0.004,
    "clock jumps past the process": 0.002,
    "nobody comes for a dead one": 0.15,
    "provider is silent before": 0.08,
    "provider is silent after": 0.10,
    "provider keeps a failure, nothing done": 0.04,
    "provider keeps a failure, though done": 0.05,
    "provider knows nothing for a while": 0.06,
    "provider takes after it cancelled": 0.3,
    "provider takes after it declined": 0.5,
    "provider will not cancel": 0.5,
    "provider lets an authorisation lapse": 0.2,
    "refund fails many times": 0.15,
    "refund settles later": 0.15,
    "webhook comes twice": 0.3,
    "webhook comes late": 0.3,
    "broker is away": 0.03,
    "broker loses an event": 0.04,
    "broker has it and does not confirm": 0.05,
    "event comes twice": 0.15,
    "event overtakes another": 0.5,
    "nudge is lost": 0.1,
    "nudge comes twice": 0.1,
}
"""How likely each fault is wherever it may happen, in a run that deals it: a run leaves out a third of them."""

AT_MOST: Mapping[str, int] = {
    "power cut": 6,
    "power cut at a webhook": 3,
    "commit fails": 3,
    "commit's answer is lost": 4,
    "clock jumps past the process": 1,
    "nobody comes for a dead one": 1,
    "clock jumps past a step": 2,
}
"""How often in one run. More of these, and waiting for a person would be right: an event that killed six workers."""


def crash_points() -> frozenset[str]:
    """The names of all crash points that there are in the product."""
    sources = [path for top in ("apps", "runtime") for path in (ROOT / top).rglob("*.py")]
    return frozenset(name for path in sources for name in re.findall(r'\bcrashpoint\("([^"]+)"\)', path.read_text()))


class Dice:
    """``met`` counts the faults that were dealt. Nothing else in a run draws from chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.met: Counter[str] = Counter()
        self.faults_are_over = False
        self._dealt = {name: self._random.random() < 0.67 for name in FAULTS}
        self._force = self._random.choice((0.5, 1.0, 2.0))

    def fault(self, name: str) -> bool:
        """Whether this fault happens here and now."""
        if self.faults_are_over or not self._dealt[name] or self.met[name] >= AT_MOST.get(name, 1_000):
            return False
        if self._random.random() >= FAULTS[name] * self._force:
            return False
        self.met[name] += 1
        return True

    def chance(self, likely: float) -> bool:
        return self._random.random() < likely

    def between(self, least: float, most: float) -> float:
        return round(self._random.uniform(least, most), 3)

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def pick[T](self, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
        return self._random.choices(choices, weights)[0]

    def some[T](self, choices: Sequence[T], count: int) -> list[T]:
        return self._random.sample(choices, count)

    def noise(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def uniform(self, least: float, most: float) -> float:
        """For the product's own jitter."""
        return self._random.uniform(least, most)
