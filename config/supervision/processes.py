"""
Which processes make up the application, as data, and one such process kept alive.

A group of domains is hosted together: each has a web server, a worker and a relay of its own.
"""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.supervision.commands import MANAGE, PROJECT, relay_command, web_command, worker_command
from config.supervision.doors import Doors
from config.topology import Group, Topology, group_name
from runtime.embedded.process import Child
from runtime.embedded.readiness import READY_FILE, are_ready
from runtime.embedded.state import RunningProcess, make_private

QUICK_DEATH = 5.0
"""A process that dies within these seconds of its start, and again, is not started again at once."""
LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """
    One process: the domains it hosts and the command that runs it.

    One with a door is handed two bound sockets: a group's web server, or the gateway in front of all. In a web
    server's command ``{public}`` and ``{inside}`` stand for their numbers. ``prepare`` is called before the first
    start, and before it is told of changes. One that is ``told`` something is told nothing else. ``change_signal``
    tells a running one to read its files again; where there is none, it is started anew. Limits are in seconds.
    """

    name: str
    role: str
    domains: tuple[str, ...]
    command: tuple[str, ...]
    door: Literal["group", "front"] | None = None
    prepare: Callable[[Doors], None] | None = None
    told: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    change_signal: signal.Signals | None = None
    stop_limit: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command that runs once, before any process starts."""

    name: str
    command: tuple[str, ...]


PREPARATION = (Step(name="migrate", command=(*MANAGE, "migrate")), Step(name="seed", command=(*MANAGE, "seed")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to run once, then which processes to keep alive; ready when ``ready_path`` answers 200.

    Limits are in seconds.
    """

    processes: Sequence[ProcessSpec]
    preparation: Sequence[Step] = PREPARATION
    ready_path: str = "/health/ready"
    ready_limit: float = 90.0
    step_limit: float = 600.0

    @property
    def doors(self) -> tuple[str | None, dict[str, Group]]:
        """Who has doors: the gateway's name, if there is one, and the web servers' with their groups."""
        front = next((spec.name for spec in self.processes if spec.door == "front"), None)
        return front, {spec.name: spec.domains for spec in self.processes if spec.door == "group"}

    @property
    def topology(self) -> Topology:
        """How the processes share the domains."""
        return Topology(tuple(dict.fromkeys(spec.domains for spec in self.processes if spec.door != "front")))


def process_specs(groups: Sequence[Group], state: Path) -> tuple[ProcessSpec, ...]:
    """In the order in which they are started. With one group a process is named by its role alone."""
    return tuple(
        build(named(role, group, of=len(groups)), group, state)
        for role, build in (("web", _web), ("worker", _worker), ("relay", _relay))
        for group in groups
    )


def named(role: str, group: Group, *, of: int) -> str:
    """A process's name, or a server's: its role, and where there are several groups, whose it is."""
    return role if of == 1 else f"{role}-{group_name(group)}"


def _web(name: str, domains: tuple[str, ...], _state: Path) -> ProcessSpec:
    # The supervisor holds the socket, so that a request finds somebody listening also while this is started again.
    command = web_command("fd://{public}", "fd://{inside}")
    return ProcessSpec(name=name, role="web", domains=domains, command=command, door="group", stop_limit=12.0)


def _worker(name: str, domains: tuple[str, ...], state: Path) -> ProcessSpec:
    # Several sets may share one broker, and two workers of one name would take each other's control messages.
    hostname = f"{name}-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}@%h"
    command = worker_command(domains, hostname=hostname)
    return ProcessSpec(name=name, role="worker", domains=domains, command=command, stop_limit=15.0)


def _relay(name: str, domains: tuple[str, ...], _state: Path) -> ProcessSpec:
    return ProcessSpec(name=name, role="relay", domains=domains, command=relay_command())


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a process ended, and what it said last; what is killed had nothing to say about it."""

    how: str
    words: str


class KeptAlive:
    """
    A process that is started again when it dies: at once, and after a growing pause when it keeps dying.

    For a while there may be another one ``beside`` it: the next one, until it serves, and then the last one, until it
    has ended.
    """

    def __init__(self, spec: ProcessSpec, *, env: Mapping[str, str], log: Path, fds: Mapping[str, int]) -> None:
        self.spec = spec
        self.log = log
        self.child: Child | None = None
        self._beside: Child | None = None
        self._ready_file: Path | None = None
        self._env = env
        self._fds = fds
        self._started = 0.0
        self._due = 0.0
        self._quick_deaths = 0

    def start(self) -> None:
        """Raises OSError."""
        self._started = time.monotonic()
        self.child = self._run({})

    def _run(self, more: Mapping[str, str]) -> Child:
        command = self.spec.command
        return Child(
            [word.format(**self._fds) for word in command] if self.spec.door == "group" else command,
            log=self.log,
            env={**self._env, **more},
            cwd=PROJECT,
            pass_fds=tuple(self._fds.values()),
        )

    def is_like(self, other: KeptAlive) -> bool:
        """Whether the other is run in the same way, so that this one can go on in its place."""
        mine, its = ((kept.spec.command, kept.spec.domains, dict(kept._env), dict(kept._fds)) for kept in (self, other))
        return mine == its or ((mine[0], *mine[2:]) == (its[0], *its[2:]) and self.spec.change_signal is not None)

    def become(self, other: KeptAlive) -> None:
        """Go on in the other's place. What it was prepared with may have changed."""
        self.spec = other.spec
        if self.child is not None and self.spec.change_signal is not None:
            self.child.send(self.spec.change_signal)

    def bury(self) -> Death | None:
        """If it has died: end what it left behind, and decide when it is due again."""
        if self.child is None or not self.child.exited():
            return None
        child, self.child = self.child, None
        code = child.kill()
        quick = time.monotonic() - self._started < QUICK_DEATH
        self._quick_deaths = self._quick_deaths + 1 if quick else 0
        if self._quick_deaths > 1:
            self.postpone(min(LONGEST_PAUSE, 0.25 * 2.0**self._quick_deaths))
        return Death(how=_how(child.pid, code), words="" if code == -signal.SIGKILL else child.said())

    def postpone(self, seconds: float = LONGEST_PAUSE) -> None:
        self._due = time.monotonic() + seconds

    def is_due(self) -> bool:
        return self.child is None and time.monotonic() >= self._due

    def ask_to_stop(self) -> None:
        for child in filter(None, (self.child, self._beside)):
            child.send(self.spec.stop_signal)

    def end(self, *, hurry: Callable[[], bool]) -> None:
        """Wait for the end that was asked for, no longer than the process's own limit; then end its whole group."""
        for child in filter(None, (self.child, self._beside)):
            child.wait(limit=self.spec.stop_limit, hurry=hurry)
            child.kill()
        self.child = self._beside = None

    def entries(self) -> list[RunningProcess]:
        """Its lines in run.json: one, and for a while two."""
        found = [running_process(self.spec.name, self.spec.domains, each) for each in (self.child, self._beside)]
        return [entry for entry in found if entry is not None]

    # --- Another one beside it --------------------------------------------------------------------------------------

    def start_beside(self, folder: Path) -> None:
        """The next one, with the same sockets. It says below the folder that it serves. Raises OSError."""
        self._ready_file = make_private(folder) / self.spec.name
        self._ready_file.unlink(missing_ok=True)
        self._beside = self._run({READY_FILE: str(self._ready_file)})

    @property
    def has_another(self) -> bool:
        """Whether there is one beside it."""
        return self._beside is not None

    def beside_is_ready(self) -> bool:
        return self._ready_file is not None and not self.beside_has_ended() and are_ready(self._ready_file)

    def beside_has_ended(self) -> bool:
        return self._beside is None or self._beside.exited()

    def bury_beside(self, *, late: bool, limit: float) -> str:
        """If the next one died, or is too late and therefore ended: how that was. Empty where it is on its way."""
        if self._beside is None or not (late or self._beside.exited()):
            return ""
        child, self._beside = self._beside, None
        died = child.exited()
        code = child.kill()
        how = _how(child.pid, code) if died else f"(process {child.pid}) was not ready within {limit:g} s"
        return f"the new one {how}. Its log is {child.log}; the last lines:\n{child.said()}\n"

    def change_places(self) -> None:
        """The next one is the one from now on, and the one before is asked to stop."""
        self.child, self._beside = self._beside, self.child
        self._started, self._quick_deaths = time.monotonic(), 0
        if self._beside is not None:
            self._beside.send(self.spec.stop_signal)

    def end_beside(self) -> None:
        """With all that it started, whatever it was at."""
        if self._beside is not None:
            child, self._beside = self._beside, None
            child.kill()


def running_process(name: str, domains: Sequence[str], child: Child | None) -> RunningProcess | None:
    if child is None:
        return None
    return {"name": name, "domains": list(domains), "pid": child.pid, "started": child.started}


def _how(pid: int, code: int) -> str:
    if code >= 0:
        return f"(process {pid}) exited with code {code}"
    return f"(process {pid}) was ended by {signal.Signals(-code).name}"
