"""Valkey really starts, stops, keeps what it was told, and shows nobody its password."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from runtime.embedded.process import is_alive, wait_until
from runtime.embedded.state import secrets
from runtime.embedded.valkey import Valkey, clear_leftover

PROJECT = Path(__file__).resolve().parents[3]
START_AND_WAIT = """
import pathlib, signal, sys
from runtime.embedded.valkey import Valkey
server = Valkey(pathlib.Path(sys.argv[1]))
server.start()
print(server.process.pid, server.url(0), flush=True)
signal.pause()
"""


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def test_what_it_was_told_is_still_there_after_a_restart_on_the_same_port(valkey: Valkey) -> None:
    valkey.start()
    client(valkey.url(0)).set("kept", "7")
    client(valkey.url(1)).set("kept", "8")
    port = valkey.port
    valkey.stop()

    valkey.start()

    assert (client(valkey.url(0)).get("kept"), client(valkey.url(1)).get("kept")) == ("7", "8")
    assert valkey.port == port


def test_it_never_throws_a_queue_away_to_make_room(valkey: Valkey) -> None:
    valkey.start()

    asked = client(valkey.url(0)).config_get("maxmemory-policy", "appendonly", "appendfsync", "bind")

    expected = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec", "bind": "127.0.0.1"}
    assert asked == expected


def test_nobody_gets_in_without_the_password(valkey: Valkey) -> None:
    valkey.start()

    with pytest.raises(redis.AuthenticationError):
        client(f"redis://127.0.0.1:{valkey.port}/0").ping()


def test_no_secret_is_among_its_arguments_or_in_a_file_that_others_can_read(valkey: Valkey) -> None:
    valkey.start()
    arguments = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    assert f"{valkey.state}/valkey/valkey.conf" in arguments
    assert secrets(valkey.state)["VALKEY_PASSWORD"] not in arguments
    assert [path for path in valkey.state.rglob("*") if path.lstat().st_mode & 0o077] == []


def test_it_takes_another_port_when_somebody_took_its_port(valkey: Valkey) -> None:
    valkey.start()
    valkey.stop()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", valkey.port or 0))
        squatter.listen()

        valkey.start()

        assert valkey.port != squatter.getsockname()[1]
        assert client(valkey.url(0)).ping()


def test_it_tries_again_when_a_port_is_taken_in_between(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.embedded import launch

    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        offered = iter([squatter.getsockname()[1]])
        free_port = launch.free_port
        monkeypatch.setattr(launch, "free_port", lambda: next(offered, None) or free_port())

        valkey.start()

        assert list(offered) == []
        assert client(valkey.url(0)).ping()


def test_a_server_whose_owner_was_killed_is_stopped_and_its_data_are_taken_over(valkey: Valkey) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(valkey.state)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        left, url = owner.stdout.readline().split()
        client(url).set("kept", "7")
        owner.send_signal(signal.SIGKILL)
    assert is_alive(int(left))

    valkey.start()

    assert not is_alive(int(left))
    assert client(valkey.url(0)).get("kept") == "7"


def test_a_server_that_was_killed_starts_again_with_what_was_on_disk(valkey: Valkey) -> None:
    valkey.start()
    told = client(valkey.url(0))
    told.set("kept", "7")
    assert told.waitaof(1, 0, 5000)[0] == 1
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGKILL)
    assert wait_until(valkey.exited, limit=5)
    valkey.stop()

    valkey.start()

    assert client(valkey.url(0)).get("kept") == "7"


def test_a_leftover_is_cleared_and_a_stranger_with_its_number_is_not(valkey: Valkey) -> None:
    valkey.start()
    assert valkey.process is not None
    pid = valkey.process.pid

    assert clear_leftover(valkey.state) == pid
    assert not is_alive(pid)
    (valkey.state / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")
    assert clear_leftover(valkey.state) is None


def test_a_state_directory_with_unusual_characters_in_its_name_will_do(tmp_path: Path) -> None:
    server = Valkey(tmp_path / 'a "quoted" and spaced name')
    server.start()
    try:
        assert client(server.url(0)).ping()
    finally:
        server.stop()
