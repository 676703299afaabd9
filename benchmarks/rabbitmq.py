"""A RabbitMQ of one's own, where it is installed: one node, on loopback, below a directory that goes with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError

from runtime.embedded.process import wait_until

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Debian's own; what is in PATH starts it as another user."""


def is_installed() -> bool:
    return (PROGRAMS / "rabbitmq-server").exists()


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
        self._process = subprocess.Popen(  # noqa: S603 - a program of the system's
            [str(PROGRAMS / "rabbitmq-server")], env=self._environ, stdout=log, stderr=log, start_new_session=True
        )
        if not wait_until(self._answers, limit=60):
            raise RuntimeError(f"RabbitMQ did not answer within 60 s: {(self.folder / 'out').read_text()}")

    @property
    def pid(self) -> int:
        """Of the process that it was started as, which leads all others of it."""
        assert self._process is not None, "asked before it was started"
        return self._process.pid

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
        done = subprocess.run(  # noqa: S603 - a program of the system's
            command, env=self._environ, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def end(self) -> None:
        self.kill()
        # Erlang's port mapper, which a node starts and leaves behind. It refuses while it still lists the node.
        wait_until(self._mapper_ended, limit=10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mapper_ended(self) -> bool:
        command = [shutil.which("epmd") or "epmd", "-port", str(self._epmd), "-kill"]
        done = subprocess.run(command, env=self._environ, capture_output=True, check=False)  # noqa: S603 - the same
        # It also fails, with other words, where there is none.
        return b"not allowed" not in done.stdout + done.stderr

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"RabbitMQ ended: {(self.folder / 'out').read_text()}")
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except (OSError, AMQPError, OperationalError):
            # It takes connections before it can answer them.
            return False
        return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
