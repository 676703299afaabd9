"""A RabbitMQ of the test's own: one node, on loopback, below a directory that goes with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError

from tests.together import wait_until

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Debian's own; what is in PATH starts it as another user."""


class RabbitMQ:
    """``start``, ``kill`` (SIGKILL, disk kept), ``wipe`` (its disk), ``control`` (rabbitmqctl)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mitosis-rabbit-"))
        self.port, distribution, self._epmd = _free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._environ = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"mitosis{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # It waits busily otherwise, on cores that the test needs.
            "RABBITMQ_SERVER_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        (self.folder / "plugins").write_text("[].")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "out").open("ab")
        self._process = subprocess.Popen(
            [str(PROGRAMS / "rabbitmq-server")], env=self._environ, stdout=log, stderr=log, start_new_session=True
        )
        wait_until(self._answers, limit=60)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def new_vhost(self) -> str:
        """An empty broker within the broker: its URL."""
        name = f"v{uuid4().hex[:8]}"
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{name}"

    def wipe(self) -> None:
        shutil.rmtree(self.folder / "data")

    def control(self, *words: str) -> str:
        command = [str(PROGRAMS / "rabbitmqctl"), *words]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def end(self) -> None:
        self.kill()
        subprocess.run(["epmd", "-port", str(self._epmd), "-kill"], env=self._environ, capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "out").read_text()
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except (OSError, AMQPError, OperationalError):
            # It takes connections before it can answer them.
            return False
        return True


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitMQ]:
    if not (PROGRAMS / "rabbitmq-server").exists():
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("RabbitMQ is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip("RabbitMQ is not installed.")
    server = RabbitMQ()
    try:
        server.start()
        yield server
    finally:
        server.end()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
