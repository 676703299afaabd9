"""Starts everything in order, keeps it alive, writes down what runs, and stops it in reverse."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Literal

from config.environment import Environment
from config.supervision.errors import AlreadyRunning, BadPort, Interrupted, NotReady, PortTaken, StartFailed
from config.supervision.leftovers import MARK, clear_leftovers
from config.supervision.operator_login import OperatorLogin, operator_login
from config.supervision.processes import PROJECT, KeptAlive, Plan, Step
from config.supervision.servers import Servers
from runtime.embedded.errors import StateUnusable
from runtime.embedded.process import Child, started_at, wait_until
from runtime.embedded.state import forget_run, last_run, sole_owner, write_run

HOST = "127.0.0.1"
WATCH_EVERY = 0.1

MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}
"""
A password's hash takes 19 MiB for a moment. Left alone, glibc learns from that to keep such blocks, for each thread
(mallopt(3), M_MMAP_THRESHOLD); told a size, it gives them back.
"""


class Supervisor:
    """
    One application below one state directory: ``start``, ``watch`` until told to stop, ``stop``.

    ``start`` raises SupervisorError, EmbeddedError or BadSetting, each a sentence, and then leaves nothing running.
    """

    def __init__(self, plan: Plan, *, state: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.plan = plan
        self.state = state
        self.logs = state / "log"
        self.stopping = threading.Event()
        self.login: OperatorLogin | None = None
        self.port = 0
        self._environ = environ
        self._say = say
        self._hurry = threading.Event()
        self._held = ExitStack()
        self._owns = False
        self._phase: Literal["starting", "ready"] = "starting"
        self._servers = Servers(state, environ)
        self._settings: Environment | None = None
        self._sockets: dict[str, dict[str, socket.socket]] = {}
        self.inside_port = 0
        self._kept: list[KeptAlive] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    # --- Start ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything runs and is ready when this returns."""
        try:
            self._become_owner()
            self._listen()
            login = self.login = operator_login(self.state, self._environ)
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
        clear_leftovers(self.state, self._say)

    def _listen(self) -> None:
        """
        Bind the sockets now and hold them: a taken port shows before anything else is started, and nobody takes it
        while a web server is started again. They refuse connections until the web server listens.
        """
        wanted = self._environ.get("PORT") or "8000"
        if not (wanted.isascii() and wanted.isdigit() and int(wanted) < 65536):
            raise BadPort(port=wanted)
        port = int(wanted)
        for spec in self.plan.processes:
            if spec.listens:
                public, inside = self._bind(port), self._bind(0)
                self._sockets[spec.name] = {"public": public, "inside": inside}
                self.port = self.port or public.getsockname()[1]
                self.inside_port = self.inside_port or inside.getsockname()[1]
                # PORT is where the first answers.
                port = 0

    def _bind(self, port: int) -> socket.socket:
        bound = self._held.enter_context(socket.socket())
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port=port, host=HOST, reason=error.strerror) from error
        return bound

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
        common = {**MEMORY, **self._servers.environment_to_serve(), MARK: str(self.state), "PYTHONUNBUFFERED": "1"}
        for spec in self.plan.processes:
            bound = self._sockets.get(spec.name, {})
            ports = {name: held.getsockname()[1] for name, held in bound.items()}
            environment = {"DOMAINS": ",".join(spec.domains), "PORT": str(ports.get("public", self.port))}
            if "inside" in ports:
                environment["INSIDE_PORT"] = str(ports["inside"])
            kept = KeptAlive(
                spec,
                env={**common, **environment},
                log=self.logs / f"{spec.name}.log",
                fds={name: held.fileno() for name, held in bound.items()},
            )
            self._kept.append(kept)
            kept.start()
        self._write_down()

    def _await_ready(self) -> None:
        answer = "none"

        def ready() -> bool:
            nonlocal answer
            self.stop_if_told()
            for kept in self._kept:
                if death := kept.bury():
                    raise StartFailed(name=kept.spec.name, how=death.how, log=kept.log, words=death.words)
            status, answer = _get(self.port, self.plan.ready_path)
            return status == 200

        if self._sockets and not wait_until(ready, limit=self.plan.ready_limit, every=WATCH_EVERY):
            url, limit = f"{self.url}{self.plan.ready_path}", self.plan.ready_limit
            raise NotReady(url=url, limit=limit, answer=answer, logs=self.logs)
        self._phase = "ready"
        self._write_down()

    def stop_if_told(self) -> None:
        """Raises Interrupted once somebody has asked for the end."""
        if self.stopping.is_set():
            raise Interrupted

    # --- While it runs ----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Start again what dies, until ``stopping`` is set."""
        while not self.stopping.wait(WATCH_EVERY):
            self._tend()

    def _tend(self) -> None:
        changed = False
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
        processes = [*self._servers.entries(), *filter(None, (kept.entry() for kept in self._kept))]
        write_run(
            self.state,
            {
                "http": self.url,
                "metrics": f"http://{HOST}:{self.inside_port}/metrics",
                "databases": {domain: url for domain, url in self._settings.databases.items() if url},
                "broker": self._settings.broker_url or "",
                "cache": self._settings.cache_url or "",
                "processes": processes,
                "state": self._phase,
                "supervisor": {"pid": os.getpid(), "started": started_at(os.getpid())},
            },
        )

    # --- Stop -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop everything in reverse. Told to hurry, everything is killed instead. May be called again."""
        self.stopping.set()
        for bound in self._sockets.values():
            for held in bound.values():
                held.close()
        started, self._kept = self._kept, []
        for _role, members in groupby(reversed(started), key=lambda kept: kept.spec.role):
            together = list(members)
            for kept in together:
                kept.ask_to_stop()
            for kept in together:
                kept.end(hurry=self._hurry.is_set)
        self._servers.stop(hurry=self._hurry.is_set)
        if self._owns:
            self._owns = False
            forget_run(self.state)
        self._held.close()

    @contextmanager
    def told_by_signals(self) -> Iterator[None]:
        """Ctrl-C, SIGTERM and a closed terminal stop it; the second time they hurry it up."""

        def told(_number: int, _frame: FrameType | None) -> None:
            (self._hurry if self.stopping.is_set() else self.stopping).set()

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            # Under nohup a closed terminal is to be ignored.
            if handler is not signal.SIG_IGN:
                signal.signal(number, told)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _get(port: int, path: str) -> tuple[int, str]:
    """The status (0: nobody answered) and the beginning of what was said."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, f"{answer.status} {answer.read(2000).decode(errors='replace')}"
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()
