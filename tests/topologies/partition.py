"""A shop whose domains are grouped in a certain way, with servers, processes and files of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.topology import Topology
from runtime.embedded.placement import discard
from tests.shop import ROOT, Shop

ENVIRON = {
    # One is enough for one customer after another, and four groups are twelve processes.
    "WEB_WORKERS": "1",
    # Room for a slow machine: an order whose steps all answer is confirmed inline, however long that takes.
    "ORDER_BUDGET": "12s",
    "PROVIDER_TIMEOUT": "1s",
    "RATE_LIMIT_ANONYMOUS": "150/1h",
    "RATE_LIMIT_USER": "100000/1h",
}


@contextmanager
def standing(topology: Topology, *, root: Path = ROOT, **environ: str) -> Iterator[Shop]:
    """
    The shop, ready, in this grouping. ``root``: the tree whose code runs. Everything is gone afterwards.

    ``run["databases"]`` has the URL of each domain's database, ``run["groups"]`` where each group answers.
    """
    folder = Path(tempfile.mkdtemp(prefix="mitosis-partition-"))
    shop = Shop(folder, root=root, **{**ENVIRON, "TOPOLOGY": topology.name, **environ})
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()
        discard(folder)
        shutil.rmtree(folder, ignore_errors=True)
