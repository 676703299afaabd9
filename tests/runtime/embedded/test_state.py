"""The state directory: found, private, and the same for everybody who looks at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from runtime.embedded.errors import StateUnusable
from runtime.embedded.process import started_at
from runtime.embedded.state import RunFile, forget_run, last_run, read_run, secrets, sole_owner, state_dir, write_run

PROJECT = Path(__file__).resolve().parents[3]
NAMES = {
    "SECRET_KEY",
    "JWT_SIGNING_KEY",
    "SERVICE_KEY",
    "SANDBOX_WEBHOOK_SECRET",
    "POSTGRES_PASSWORD",
    "VALKEY_PASSWORD",
}


def run_file(*, pid: int, started: int | None) -> RunFile:
    return {
        "http": "http://127.0.0.1:8000",
        "databases": {},
        "broker": "",
        "cache": "",
        "processes": [],
        "state": "ready",
        "supervisor": {"pid": pid, "started": started},
    }


@pytest.mark.parametrize(
    ("setting", "expected"),
    [(None, PROJECT / "var"), ("", PROJECT / "var"), ("other", PROJECT / "other"), ("/srv/shop", Path("/srv/shop"))],
)
def test_the_state_directory_is_var_beside_manage_py_unless_named(setting: str | None, expected: Path) -> None:
    assert state_dir({} if setting is None else {"STATE_DIR": setting}) == expected


def test_secrets_are_generated_once_and_only_their_owner_can_read_them(state: Path) -> None:
    first = secrets(state)

    assert first.keys() == NAMES
    assert secrets(state) == first
    assert stat.S_IMODE((state / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    key = load_pem_private_key(first["JWT_SIGNING_KEY"].encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048


def test_processes_that_ask_for_secrets_at_once_all_get_the_same(state: Path) -> None:
    ask = "import pathlib, sys; from runtime.embedded.state import secrets; print(secrets(pathlib.Path(sys.argv[1])))"

    def answer(_: int) -> str:
        command = [sys.executable, "-c", ask, str(state)]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(answer, range(6)))) == 1


def test_a_secret_that_a_later_version_adds_leaves_the_others_as_they_are(state: Path) -> None:
    first = secrets(state)
    kept = {name: value for name, value in first.items() if name != "SERVICE_KEY"}
    (state / "secrets.json").write_text(json.dumps(kept))

    second = secrets(state)

    assert {name: value for name, value in second.items() if name != "SERVICE_KEY"} == kept
    assert second["SERVICE_KEY"] != first["SERVICE_KEY"]


def test_secrets_that_cannot_be_read_are_never_replaced(state: Path) -> None:
    state.mkdir()
    (state / "secrets.json").write_text("{")

    with pytest.raises(StateUnusable, match=r"secrets\.json cannot be used: it is not JSON\. Repair it"):
        secrets(state)
    assert (state / "secrets.json").read_text() == "{"


def test_what_a_living_supervisor_wrote_is_read_and_private(state: Path) -> None:
    state.mkdir()
    written = run_file(pid=os.getpid(), started=started_at(os.getpid()))
    write_run(state, written)

    assert read_run(state) == written
    assert stat.S_IMODE((state / "run.json").stat().st_mode) == 0o600

    forget_run(state)
    assert read_run(state) is None


def test_what_a_dead_supervisor_wrote_runs_no_longer(state: Path) -> None:
    state.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    write_run(state, run_file(pid=gone.pid, started=1))

    assert read_run(state) is None
    assert last_run(state) is not None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell start times")
def test_a_process_that_got_the_number_of_a_dead_supervisor_is_not_mistaken_for_it(state: Path) -> None:
    state.mkdir()
    write_run(state, run_file(pid=os.getpid(), started=1))

    assert read_run(state) is None


def test_only_one_can_be_the_owner_and_the_others_learn_who_it_is(state: Path) -> None:
    with sole_owner(state) as first:
        assert first is None
        with sole_owner(state) as second:
            assert second == os.getpid()

    with sole_owner(state) as third:
        assert third is None
