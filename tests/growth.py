"""What is counted on /metrics while a test does something, and how much it grew: nothing else may have."""

from __future__ import annotations

from prometheus_client import REGISTRY

type Labels = tuple[str, ...]


class Growth:
    """Since it was made: by the values of the labels, in the order in which they are declared."""

    def __init__(self) -> None:
        self._before = _now()

    def of(self, name: str) -> dict[Labels, float]:
        grown = {
            key: value - self._before.get(key, 0.0) for key, value in _now().items() if value != self._before.get(key)
        }
        return {labels: value for (sample, labels), value in grown.items() if sample == name and value}


def _now() -> dict[tuple[str, Labels], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
    }
