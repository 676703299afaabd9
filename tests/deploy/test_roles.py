"""The entry point of the image: what a word starts, and what a probe is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from config import roles
from config.supervision.processes import process_specs
from config.topology import DOMAINS


class Become(Exception):
    """Instead of another program."""


@pytest.fixture
def become(monkeypatch, tmp_path) -> Any:
    """``main`` with these words and this environment: what it would have become, with which environment."""

    def execve(program: str, words: list[str], env: dict[str, str]) -> None:
        raise Become(words, env)

    def asked(*words: str, **environ: str) -> tuple[list[str], dict[str, str]]:
        for name in ("PORT", "INSIDE_PORT", "DOMAINS", "SECRET_KEY", "SERVICE_KEY", "READY_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"STATE_DIR": str(tmp_path / "state"), **environ}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(Become) as became:
            roles.main(words)
        return became.value.args

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    return asked


@pytest.fixture
def answering() -> Iterator[dict[str, Any]]:
    """A server; ``status`` is by path what it answers."""
    found: dict[str, Any] = {"status": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(found["status"].get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found["port"] = str(server.server_port)
        yield found
        server.shutdown()


@pytest.mark.parametrize("role", ["web", "worker", "relay"])
def test_a_role_is_what_the_supervisor_starts_save_for_its_addresses_and_its_name(become, tmp_path, role):
    (spec,) = [each for each in process_specs([DOMAINS], tmp_path) if each.role == role]
    own = {"fd://{public}": "0.0.0.0:8000", "fd://{inside}": "0.0.0.0:8001"}
    words, env = become(role)

    # Of a worker the name is the container's, which no other has.
    assert words == [own.get(word, "worker@%h" if "@%h" in word else word) for word in spec.command]
    assert env["MALLOC_ARENA_MAX"] == "2"


def test_it_answers_where_the_environment_says_and_works_for_the_domains_that_it_says(become):
    words, env = become("web", PORT="9000", INSIDE_PORT="9001")
    assert [words[place + 1] for place, word in enumerate(words) if word == "--bind"] == [
        "0.0.0.0:9000",
        "0.0.0.0:9001",
    ]
    assert (env["PORT"], env["INSIDE_PORT"]) == ("9000", "9001")
    words, env = become("worker", DOMAINS="orders, users", INSIDE_PORT="9001")
    assert (words[-1], env["PROBE_BIND"]) == ("orders,users", "0.0.0.0:9001")
    assert "PROBE_BIND" not in become("web")[1]


def test_the_gateway_writes_its_files_and_becomes_haproxy_and_needs_no_secret_of_ours(become):
    words, env = become("gateway", "--group", "users=users-web:8000")
    assert words[2:] == [
        *("gateway_config", "--bind", "*:8000", "--metrics", "*:8001", "--run"),
        *("--group", "users=users-web:8000"),
    ]
    assert len({env["SECRET_KEY"], env["SERVICE_KEY"]}) == 2
    _, again = become("gateway")
    assert again["SECRET_KEY"] != env["SECRET_KEY"]
    _, given = become("gateway", SECRET_KEY="mine", SERVICE_KEY="mine too")
    assert (given["SECRET_KEY"], given["SERVICE_KEY"]) == ("mine", "mine too")


def test_any_other_word_is_a_command_of_manage_py(become):
    words, env = become("sagas", "list")
    assert words[1:] == [str(roles.PROJECT / "manage.py"), "sagas", "list"]
    assert "READY_FILE" not in env


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say what to run: web, worker, relay, gateway, healthy, ready, or a command of manage.py."),
        (("relay", "--once"), "relay takes no arguments: '--once' is one."),
    ],
)
def test_what_cannot_be_run_is_refused(words, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    assert roles.main(words) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_a_probe_reads_no_settings_and_takes_a_moment(tmp_path):
    """It runs every few seconds, and a bad setting is the role's to complain of."""
    code = (
        "import sys; from config import roles; answer = roles.main(['ready'])\n"
        "assert answer == 1\n"
        "assert not {'django', 'config.environment', 'celery'} & set(sys.modules)"
    )
    env = {"STATE_DIR": str(tmp_path), "DOMAINS": "nonsense", "PATH": os.defpath}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=roles.PROJECT, check=True)


@pytest.mark.parametrize("role", ["web", "gateway"])
def test_who_answers_is_healthy_while_it_lives_and_ready_while_it_says_so(become, answering, monkeypatch, role):
    become(role, PORT=answering["port"])
    monkeypatch.setenv("PORT", answering["port"])
    asked = [(live, ready) for live in (200, 503) for ready in (200, 503)]
    for live, ready in asked:
        answering["status"] = {"/health/live": live, "/health/ready": ready}
        assert roles.main(["healthy"]) == (0 if live == 200 else 1)
        assert roles.main(["ready"]) == (0 if ready == 200 else 1)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("PORT", str(nobody.getsockname()[1]))
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (1, 1)


@pytest.mark.parametrize("role", ["worker", "relay"])
def test_who_answers_nobody_is_ready_once_it_has_said_so_and_not_by_what_an_earlier_one_said(become, role):
    _, env = become(role)
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (1, 1)
    Path(env["READY_FILE"]).write_text("7 1\n")
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (0, 0)
    become(role)
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (1, 1)


def test_a_command_that_runs_once_is_healthy_and_takes_no_role_its_place(become, tmp_path):
    state = str(tmp_path / "another")
    become("migrate", STATE_DIR=state)
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (0, 1)
    _, env = become("relay", STATE_DIR=state)
    become("dead_letters", "list", STATE_DIR=state)
    assert roles.main(["healthy"]) == 1
    Path(env["READY_FILE"]).write_text("7 1\n")
    assert roles.main(["healthy"]) == 0


def test_before_anything_was_started_nothing_is_healthy(monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    assert (roles.main(["healthy"]), roles.main(["ready"])) == (1, 1)
