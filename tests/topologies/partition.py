"""A shop whose domains are grouped in a certain way, set up so that a slow machine changes no answer of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.topology import Topology
from runtime.embedded.process import started_with
from runtime.embedded.state import MARK
from tests.shop import ROOT, Shop, running

ENVIRON = {
    # One is enough for one customer after another, and four groups are twelve processes.
    "WEB_WORKERS": "1",
    # An order whose steps all answer is confirmed inline, however long that takes.
    "ORDER_BUDGET": "12s",
    # Whoever asks payments waits a second longer than that, and would ask a slow machine twice.
    "PROVIDER_TIMEOUT": "4s",
    "RATE_LIMIT_ANONYMOUS": "150/1h",
    "RATE_LIMIT_USER": "100000/1h",
}


@contextmanager
def standing(topology: Topology, *, root: Path = ROOT) -> Iterator[Shop]:
    """
    The shop, ready, in this grouping, with servers, processes and files of its own; nothing is left of it afterwards.

    ``root``: the tree whose code runs.
    """
    folder = None
    for shop in running(root=root, **{**ENVIRON, "TOPOLOGY": topology.name}):
        folder = shop.folder
        yield shop
    assert started_with(MARK, str(folder)) == []
