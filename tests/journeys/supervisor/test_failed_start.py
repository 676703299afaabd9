"""A start that fails says why in a sentence and leaves nothing running."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from config.supervision.errors import AlreadyRunning, BadPort, Interrupted, NotReady, PortTaken, StartFailed
from config.supervision.leftovers import MARK
from config.supervision.processes import Step
from config.supervision.supervisor import Supervisor
from runtime.embedded.process import started_with
from runtime.embedded.state import last_run


def test_a_second_supervisor_refuses_and_says_who_runs(application: Any, state: Path, environ: dict[str, str]) -> None:
    plan = application.small_plan(state)
    with application.running(plan, state, environ) as first:
        second = Supervisor(plan, state=state, environ=environ, say=lambda _: None)
        with pytest.raises(AlreadyRunning) as raised:
            second.start()
        assert str(raised.value) == (
            f"Process {os.getpid()} already runs everything in {state} ({first.url}): "
            "stop it with `make down`, or name another STATE_DIR=."
        )
        assert application.run_of(state)["state"] == "ready"
        assert urlopen(f"{first.url}/ready").status == 200


def test_a_taken_port_is_named_before_anything_is_started(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = str(squatter.getsockname()[1])

        sentence = application.failure(application.small_plan(state), state, {**environ, "PORT": port}, PortTaken)

    assert sentence.startswith(f"PORT={port} on 127.0.0.1 cannot be used (Address already in use): end the program")
    assert not (state / "postgres").exists()


@pytest.mark.parametrize("port", ["http", "-1", "65536", "8000.0"])
def test_a_port_that_is_none_is_refused(application: Any, state: Path, environ: dict[str, str], port: str) -> None:
    sentence = application.failure(application.small_plan(state), state, {**environ, "PORT": port}, BadPort)
    assert sentence.startswith(f"PORT={port!r} is not a port")


def test_a_preparation_that_fails_stops_everything_and_shows_its_last_words(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    step = Step(name="migrate", command=application.python("raise SystemExit('no such table')"))

    sentence = application.failure(application.small_plan(state, preparation=[step]), state, environ, StartFailed)

    log = state / "log" / "migrate.log"
    assert sentence == f"migrate failed with exit code 1. Its log is {log}; the last lines:\n    no such table"


def test_a_process_that_fails_at_the_start_stops_everything_and_shows_its_last_words(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    _web, _worker, relay = application.small_plan(state).processes
    bad = application.process("worker", *application.python("raise SystemExit('no module named Celery')"))
    slow_web = application.process(
        "web", *application.python("import signal; signal.pause()", "{public}"), listens=True
    )

    sentence = application.failure(
        application.small_plan(state, processes=(slow_web, bad, relay)), state, environ, StartFailed
    )

    assert sentence.startswith("worker (process ")
    assert sentence.endswith("the last lines:\n    no module named Celery")


def test_a_web_server_that_never_answers_is_given_up(application: Any, state: Path, environ: dict[str, str]) -> None:
    plan = application.small_plan(state, ready_path="/elsewhere", ready_limit=1.0)

    sentence = application.failure(plan, state, environ, NotReady)

    assert "/elsewhere did not answer 200 within 1 s; its last answer was: 404" in sentence


def test_a_start_that_is_told_to_stop_stops_what_it_started(
    application: Any, state: Path, environ: dict[str, str]
) -> None:
    forever = Step(name="seed", command=application.python("import signal; signal.pause()"))
    plan = application.small_plan(state, preparation=[forever])
    supervisor: Supervisor

    def say(words: str) -> None:
        if words == "Running seed.":
            supervisor.stopping.set()

    supervisor = Supervisor(plan, state=state, environ=environ, say=say)
    with pytest.raises(Interrupted):
        supervisor.start()
    assert started_with(MARK, str(state)) == []
    assert last_run(state) is None
