"""Which figures the alerts and the dashboard name, and which there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/dashboards/mitosis.json"

_OURS = re.compile(r"\b(?:mitosis|http)_[a-z_]+")
_PART = re.compile(r"_(?:bucket|count|sum)$")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def expressions_shown() -> Iterator[str]:
    """Of each panel of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def ours(expressions: Iterator[str] | list[str]) -> set[str]:
    """The names of our own figures in them; a histogram's by its own name."""
    return {_PART.sub("", name) for each in expressions for name in _OURS.findall(each)}
