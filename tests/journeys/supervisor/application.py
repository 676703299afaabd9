"""
A small application for the supervisor to run: the real servers, and stand-ins for the web server, worker and relay.

Run as a program with a state directory, it is what `manage.py up` is with the real application.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from config.supervision.leftovers import MARK
from config.supervision.processes import Plan, ProcessSpec, Step
from config.supervision.supervisor import Supervisor
from runtime.embedded.process import started_with
from runtime.embedded.state import RunFile, last_run, read_run

PROJECT = Path(__file__).resolve().parents[3]
DOMAINS = ("users", "inventory", "payments", "orders")

WEB = """
import os, socket, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.socket.listen()
server.serve_forever()
"""
# Like gunicorn and Celery, it has children of its own, who live on when only their parent is killed.
WITH_A_CHILD = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("child", child.pid, flush=True)
signal.pause()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    signal.pause()
"""
NOTE_ENVIRONMENT = """
import json, os, pathlib, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))
"""


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


def process(role: str, *command: str, listens: bool = False, domains: tuple[str, ...] = DOMAINS) -> ProcessSpec:
    door: Literal["group"] | None = "group" if listens else None
    return ProcessSpec(name=role, role=role, domains=domains, command=command, door=door)


def small_plan(state: Path, **changed: object) -> Plan:
    web = process("web", *python(WEB, "{public}"), listens=True)
    worker = process("worker", *python(WITH_A_CHILD))
    relay = process("relay", *python(NOTE_ENVIRONMENT + "import signal; signal.pause()", str(state / "relay-env.json")))
    steps = [Step(name="migrate", command=python(NOTE_ENVIRONMENT, str(state / "migrate-env.json")))]
    settings: dict[str, object] = {
        "processes": (web, worker, relay),
        "preparation": steps,
        "ready_path": "/ready",
        "ready_limit": 30.0,
        **changed,
    }
    return Plan(**settings)  # type: ignore[arg-type]


# --- For tests ------------------------------------------------------------------------------------------------------


@contextmanager
def running(plan: Plan, state: Path, environ: dict[str, str], said: list[str] | None = None) -> Iterator[Supervisor]:
    """A supervisor that has started everything and watches it from a thread."""
    supervisor = Supervisor(plan, state=state, environ=environ, say=(said if said is not None else []).append)
    supervisor.start()
    watcher = threading.Thread(target=supervisor.watch)
    watcher.start()
    try:
        yield supervisor
    finally:
        supervisor.stopping.set()
        watcher.join()
        supervisor.stop()


@contextmanager
def running_alone(state: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A supervisor as a process of its own, ready."""
    command = [sys.executable, __file__, str(state)]
    told = {**environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=str(PROJECT), env=told, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert "ready\n" in iter(owner.stdout.readline, "")
        try:
            yield owner
        finally:
            owner.kill()


def run_of(state: Path) -> RunFile:
    run = read_run(state)
    assert run is not None
    return run


def pids(state: Path) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in run_of(state)["processes"]}


def failure(plan: Plan, state: Path, environ: dict[str, str], kind: type[Exception]) -> str:
    """The sentence with which a start fails. Nothing may be left of it."""
    with pytest.raises(kind) as raised:
        Supervisor(plan, state=state, environ=environ, say=lambda _: None).start()
    assert started_with(MARK, str(state)) == []
    assert last_run(state) is None
    return str(raised.value)


def main(state: Path) -> None:
    plan = small_plan(state)
    if os.environ.get("WORKER") == "deaf":
        web, _worker, relay = plan.processes
        plan = small_plan(state, processes=(web, process("worker", *python(DEAF)), relay))
    if os.environ.get("GROUPS") == "two":
        web = python(WEB, "{public}")
        groups = (("users", "inventory"), ("payments", "orders"))
        webs = [process(f"web-{'+'.join(group)}", *web, listens=True, domains=group) for group in groups]
        plan = small_plan(state, processes=webs, preparation=())
    supervisor = Supervisor(plan, state=state, environ=os.environ, say=lambda _: None)
    with supervisor.told_by_signals():
        supervisor.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        supervisor.watch()
        supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
