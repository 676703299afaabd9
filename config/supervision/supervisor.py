"""Starts everything in order, keeps it alive, writes down what runs, and stops it in reverse."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Literal
from urllib.parse import urlsplit

from config.environment import BadSetting, Environment
from config.supervision.changing import Wanted, hosts_of, replace, stop_together
from config.supervision.commands import PROJECT
from config.supervision.doors import Doors
from config.supervision.errors import (
    AlreadyRunning,
    HalfMoved,
    Interrupted,
    NotReady,
    StartFailed,
    SupervisorError,
)
from config.supervision.following import Following
from config.supervision.leftovers import MARK, clear_leftovers
from config.supervision.operator_login import OperatorLogin, operator_login
from config.supervision.processes import KeptAlive, Plan, ProcessSpec, Step
from config.supervision.restarting import Restarting
from config.supervision.servers import Servers
from config.supervision.telling import told_to_serve
from config.topology import Topology, group_name
from runtime.embedded.errors import EmbeddedError, StateUnusable
from runtime.embedded.process import Child, started_at, wait_until
from runtime.embedded.state import RunFile, forget_run, last_run, sole_owner, write_run
from runtime.extraction.journal import Move, read_move

WATCH_EVERY = 0.1


class Supervisor:
    """
    One application below one state directory: ``start``, ``watch`` until told to stop, ``stop``.

    ``start`` raises SupervisorError, EmbeddedError or BadSetting, each a sentence, and then leaves nothing running.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        state: Path,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        base: Topology | None = None,
        replan: Callable[[], Wanted] | None = None,
    ) -> None:
        """
        ``base`` names the servers of our own, where it is not the plan's topology; ``replan`` says what is wanted now.
        """
        self.plan = plan
        self.state = state
        self.logs = state / "log"
        self.stopping = threading.Event()
        self.login: OperatorLogin | None = None
        self._environ = environ
        self._say = say
        self._hurry = threading.Event()
        self._held = ExitStack()
        self._owns = False
        self._phase: Literal["starting", "ready"] = "starting"
        self._servers = Servers(state, environ, base or plan.topology)
        self._replan = replan
        self._told = threading.Event()
        self._following = Following()
        self._settings: Environment | None = None
        self._doors = Doors()
        self._kept: list[KeptAlive] = []
        self._restarting = Restarting(state, doors=self._doors, ready_limit=plan.ready_limit, say=say)

    @property
    def url(self) -> str:
        """Where customers find the shop, once the doors are open."""
        return self._doors.front

    # --- Start ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything runs and is ready when this returns."""
        try:
            self._become_owner()
            self._open_doors()
            login = self.login = operator_login(self.state, self._environ)
            if others := self._servers.left_aside():
                self._say(f"{' and '.join(others)} has the data of another topology: this one begins without them.")
            if self._servers.titles:
                self._say(f"Starting {' and '.join(self._servers.titles)}.")
            self._servers.start()
            self._settings = self._servers.settings()
            self._write_down()
            for step in self.plan.preparation:
                self._prepare(step, login)
            self._say(f"Starting {', '.join(spec.name for spec in self.plan.processes)}.")
            self._start_processes()
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def _become_owner(self) -> None:
        other = self._held.enter_context(sole_owner(self.state))
        if other is not None:
            run = last_run(self.state)
            raise AlreadyRunning(pid=other, state=self.state, where=f" ({run['http']})" if run else "")
        self._owns = True
        if move := read_move(self.state):
            raise HalfMoved(domain=move.schema, step=move.step, kind=move.kind)
        clear_leftovers(self.state, self._say)
        self._restarting.forget()

    def _open_doors(self) -> None:
        front, webs = self.plan.doors
        self._doors.open(front=front, webs=webs, port=self._environ.get("PORT") or "8000")

    def _prepare(self, step: Step, login: OperatorLogin) -> None:
        self._say(f"Running {step.name}.")
        operator = {"OPERATOR_EMAIL": login.email, "OPERATOR_PASSWORD": login.password}
        env = {**self._servers.environment_to_prepare(), **operator, MARK: str(self.state)}
        child = Child(step.command, log=self.logs / f"{step.name}.log", env=env, cwd=PROJECT)
        try:
            in_time = wait_until(lambda: child.exited() or self.stopping.is_set(), limit=self.plan.step_limit)
        finally:
            code = child.kill()
        self.stop_if_told()
        if code != 0:
            how = f"failed with exit code {code}" if in_time else f"was not done within {self.plan.step_limit:g} s"
            raise StartFailed(name=step.name, how=how, log=child.log, words=child.said())

    def _start_processes(self) -> None:
        for spec in self.plan.processes:
            kept = self._make(spec)
            self._kept.append(kept)
            kept.start()
        self._write_down()

    def _make(self, spec: ProcessSpec) -> KeptAlive:
        if spec.prepare is not None:
            spec.prepare(self._doors)
        log = self.logs / f"{spec.name}.log"
        return KeptAlive(spec, env=self._environment_of(spec), log=log, fds=self._doors.fds(spec.name))

    def _environment_of(self, spec: ProcessSpec) -> dict[str, str]:
        if spec.told is not None:
            return {**spec.told, MARK: str(self.state)}
        settings, given = self._servers.settings(), self._servers.environment_to_prepare()
        return {**told_to_serve(spec, given=given, settings=settings, doors=self._doors), MARK: str(self.state)}

    def _await_ready(self) -> None:
        for url in dict.fromkeys((*(self._doors.url(group, "public") for group in self._doors.groups()), self.url)):
            if not url.endswith(":0"):
                self._await_answer(f"{url}{self.plan.ready_path}")
        self._phase = "ready"
        self._write_down()

    def _await_answer(self, url: str) -> None:
        answer = "none"

        def ready() -> bool:
            nonlocal answer
            self.stop_if_told()
            for kept in self._kept:
                if death := kept.bury():
                    raise StartFailed(name=kept.spec.name, how=death.how, log=kept.log, words=death.words)
            status, answer = _get(url)
            return status == 200

        if not wait_until(ready, limit=self.plan.ready_limit, every=WATCH_EVERY):
            raise NotReady(url=url, limit=self.plan.ready_limit, answer=answer, logs=self.logs)

    def stop_if_told(self) -> None:
        """Raises Interrupted once somebody has asked for the end."""
        if self.stopping.is_set():
            raise Interrupted

    # --- While it runs ----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Start again what dies, and anew what is asked for, until ``stopping`` is set."""
        while not self.stopping.wait(WATCH_EVERY):
            if self._told.is_set() or self._following.is_over(self.state):
                self._told.clear()
                self._heed()
            self._following.take_up(self.state, say=self._say)
            self._tend()

    def _heed(self) -> None:
        """Do as a move has written: stop what hosts a domain, or run everything as it is wanted now."""
        self._following.failure = ""
        try:
            move = read_move(self.state)
            if move is not None and move.keeps_resting:
                self._rest(move)
            elif self._replan is not None:
                self._follow(self._replan())
        except Interrupted:
            return
        except (SupervisorError, EmbeddedError, BadSetting, OSError) as error:
            # What could be started runs, and the rest is tried again: better than nothing at all.
            self._say(str(error))
            self._following.failure = str(error)
        self._phase = "ready"
        self._following.heeded += 1
        self._write_down()

    def _rest(self, move: Move) -> None:
        self._say(f"Stopping what hosts {move.schema}, which is being moved.")
        resting = hosts_of(self._kept, move.schema)
        self._kept = [kept for kept in self._kept if kept not in resting]
        stop_together(resting, hurry=self._hurry.is_set)
        self._following.rest(move)

    def _follow(self, wanted: Wanted) -> None:
        self._phase = "starting"
        self._following.follow(self.state)
        self.plan = wanted.plan
        self._servers.change(wanted.environ, wanted.base)
        self._settings = self._servers.settings()
        front, webs = self.plan.doors
        spare = self._doors.change(front=front, webs=webs)
        self._write_down()
        crew = [self._make(spec) for spec in self.plan.processes]
        self._kept, new = replace(self._kept, crew, hurry=self._hurry.is_set)
        for door in spare:
            door.close()
        self._say(f"Starting {', '.join(kept.spec.name for kept in new) or 'nothing new'}.")
        for kept in new:
            kept.start()
        self._write_down()
        self._await_ready()

    def _tend(self) -> None:
        changed = self._restarting.tend(self._kept)
        for kept in self._kept:
            if death := kept.bury():
                changed = True
                last_lines = f"; the last lines:\n{death.words}" if death.words else "."
                self._say(f"{kept.spec.name} {death.how}. Its log is {kept.log}{last_lines}")
            if kept.is_due() and not self.stopping.is_set():
                changed = self._start_again(kept) or changed
        for name in self._servers.newly_dead():
            changed = True
            self._say(
                f"{name} is dead and is not started again: stop everything and start anew. Its log is in {self.logs}."
            )
        if changed:
            try:
                self._write_down()
            except StateUnusable as error:
                # A full disk: what runs is worth more than the note about it.
                self._say(str(error))

    def _start_again(self, kept: KeptAlive) -> bool:
        try:
            kept.start()
        except OSError as error:
            kept.postpone()
            self._say(f"{kept.spec.name} could not be started again ({error}); there will be another try.")
            return False
        self._say(f"{kept.spec.name} was started again (process {kept.child.pid if kept.child else '?'}).")
        return True

    def _write_down(self) -> None:
        if self._settings is None:
            return
        processes = [*self._servers.entries(), *(entry for kept in self._kept for entry in kept.entries())]
        doors = self._doors
        run: RunFile = {
            "http": self.url,
            "databases": {domain: url for domain, url in self._settings.databases.items() if url},
            "broker": self._settings.broker_url or "",
            "cache": self._settings.cache_url or "",
            "topology": self.plan.topology.name,
            "groups": {
                group_name(group): {
                    "domains": list(group),
                    "http": doors.url(group, "public"),
                    "inside": doors.url(group, "inside"),
                }
                for group in doors.groups()
            },
            "processes": processes,
            "state": self._phase,
            "supervisor": {"pid": os.getpid(), "started": started_at(os.getpid())},
        }
        self._following.write_down(run)
        for spec in self.plan.processes:
            if spec.door == "front":
                run["gateway"] = {"http": self.url, "metrics": doors.figures(spec.name)}
            elif spec.door == "group" and ("metrics" not in run or "orders" in spec.domains):
                # Each group has figures of its own: these are of whoever takes the orders.
                run["metrics"] = doors.figures(spec.name)
        write_run(self.state, run)

    # --- Stop -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything in reverse. Told to hurry, everything is killed instead. May be called again."""
        self.stopping.set()
        self._doors.close()
        started, self._kept = self._kept, []
        stop_together(started, hurry=self._hurry.is_set)
        self._servers.stop(hurry=self._hurry.is_set)
        if self._owns:
            self._owns = False
            forget_run(self.state)
        self._held.close()

    @contextmanager
    def told_by_signals(self) -> Iterator[None]:
        """
        Ctrl-C, SIGTERM and a closed terminal stop it; the second time they hurry it up. SIGUSR1 says that there is
        something new to be followed.
        """

        def told(_number: int, _frame: FrameType | None) -> None:
            (self._hurry if self.stopping.is_set() else self.stopping).set()

        def changed(_number: int, _frame: FrameType | None) -> None:
            self._told.set()

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        until_now = signal.signal(signal.SIGUSR1, changed)
        for number, handler in before.items():
            # Under nohup a closed terminal is to be ignored.
            if handler is not signal.SIG_IGN:
                signal.signal(number, told)
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, until_now)
            for number, handler in before.items():
                signal.signal(number, handler)


def _get(url: str) -> tuple[int, str]:
    """The status (0: nobody answered) and the beginning of what was said."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, f"{answer.status} {answer.read(2000).decode(errors='replace')}"
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()
