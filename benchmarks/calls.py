"""
What a contract's call costs: remote, beside a bare health request by the same client of the same server; local, beside
the function itself. In turns, in one run; CPU of both sides.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmarks.accounting import cpu_seconds
from benchmarks.errors import DidNotStart, LoadFailed
from benchmarks.system import PROJECT, System
from runtime.embedded import state
from runtime.embedded.process import wait_until

TARGET_RATIO = 2.0
"""A remote call over a health request."""
TARGET_LOCAL_US = 10.0
"""What a local call adds, in CPU microseconds."""
METHODS = ("quote", "release")
"""Three products priced, as each order asks for; and an id and a key, with nothing to answer."""
LOCAL = 10
"""Local calls for each remote one: a clock tick is many of them."""
WARM_UP = 200
START_LIMIT = 60.0

type Ask = Callable[[str, int], tuple[float, float]]
"""What, how often: CPU microseconds for one, of the client and of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRound:
    """CPU microseconds for one: the client's and the server's, or for what stays in one process its own."""

    health: tuple[float, float]
    remote: Mapping[str, tuple[float, float]]
    local: Mapping[str, float]
    straight: Mapping[str, float]

    def ratio(self, method: str) -> float:
        return sum(self.remote[method]) / sum(self.health)

    def added(self, method: str) -> float:
        return self.local[method] - self.straight[method]


def measure_calls(folder: Path, *, rounds: int, calls: int, tell: Callable[[str], None]) -> list[CallRound]:
    """So many rounds, of so many calls of each kind, on a server of its own. Raises BenchmarkFailed."""
    with _asking(folder) as ask:
        for name in ("health", *(f"{method}-{way}" for method in METHODS for way in ("remote", "local"))):
            ask(name, WARM_UP)
        found = []
        for number in range(1, rounds + 1):
            tell(f"Calls, round {number} of {rounds}")
            found.append(
                CallRound(
                    health=ask("health", calls),
                    remote={method: ask(f"{method}-remote", calls) for method in METHODS},
                    local={method: ask(f"{method}-local", LOCAL * calls)[0] for method in METHODS},
                    straight={method: ask(f"{method}-straight", LOCAL * calls)[0] for method in METHODS},
                )
            )
    return found


def verdicts(rounds: list[CallRound]) -> list[str]:
    """The targets, a sentence for each method and way."""
    found = []
    for method in METHODS:
        ratios, added = [each.ratio(method) for each in rounds], [each.added(method) for each in rounds]
        found += [
            f"A remote {method} costs {median(ratios):.2f} times a health request "
            f"({min(ratios):.2f}-{max(ratios):.2f}) (target: at most {TARGET_RATIO:g}).",
            f"A local {method} costs {median(added):.1f} µs more than the function ({min(added):.1f}-{max(added):.1f}) "
            f"(target: less than {TARGET_LOCAL_US:g}).",
        ]
    return found


def as_json(rounds: list[CallRound]) -> dict[str, Any]:
    return {"rounds": [asdict(each) for each in rounds], "verdicts": verdicts(rounds)}


# --- Both sides -----------------------------------------------------------------------------------------------------


@contextmanager
def _asking(folder: Path) -> Iterator[Ask]:
    system = System(folder)
    environ = {**system.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.canned_settings", "WEB_WORKERS": "1"}
    state.make_private(folder)
    with _server(folder, environ) as (server, public, inside):
        yield from _client(environ, server, public, inside)
    system.clean()


def _client(environ: Mapping[str, str], server: int, public: int, inside: int) -> Iterator[Ask]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.asking", f"http://127.0.0.1:{public}/health/live"],
        cwd=PROJECT,
        env={**environ, "DOMAINS": "orders", "INVENTORY_URL": f"http://127.0.0.1:{inside}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said = process.stdin
    _hear(process, process.stdout)

    def ask(what: str, count: int) -> tuple[float, float]:
        before = cpu_seconds({"server": [server]})["server"]
        said.write(f"{what} {count}\n")
        said.flush()
        own = float(_hear(process, process.stdout))
        return 1e6 * own / count, 1e6 * (cpu_seconds({"server": [server]})["server"] - before) / count

    try:
        yield ask
    finally:
        said.close()
        process.wait()


def _hear(process: subprocess.Popen[str], stream: IO[str] | None) -> str:
    line = stream.readline().strip() if stream else ""
    if not line:
        raise LoadFailed(code=process.wait(), words="    what it said stands above")
    return line


@contextmanager
def _server(folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[int, int, int]]:
    """Its number, its public and its inside port."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        public, inside = one.getsockname()[1], other.getsockname()[1]
    log = folder / "calls.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py"),
                *("-b", f"127.0.0.1:{public}", "-b", f"127.0.0.1:{inside}", "config.wsgi"),
            ],
            cwd=PROJECT,
            env={**environ, "DOMAINS": "inventory", "INSIDE_PORT": str(inside)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: process.poll() is not None or "Booting worker" in log.read_text(), limit=START_LIMIT)
        if process.poll() is not None:
            raise DidNotStart(limit=START_LIMIT, folder=folder, words=log.read_text()[-2000:])
        yield process.pid, public, inside
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def main() -> None:
    """These figures alone: ``python -m benchmarks.calls``."""
    folder = state.state_dir(os.environ) / "bench-calls"
    began = time.monotonic()
    rounds = measure_calls(folder, rounds=3, calls=2_000, tell=lambda what: None)
    for each in rounds:
        sys.stdout.write(f"{asdict(each)}\n")
    sys.stdout.write("\n".join([*verdicts(rounds), f"{time.monotonic() - began:.0f} s", ""]))


if __name__ == "__main__":
    main()
