"""A web server in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.together import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Process:
    """gunicorn, by default with the depot. ``port`` is the inside port, ``public`` the shop's door."""

    def __init__(self, folder: Path, *, port: int | None = None, **environ: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            self.port, self.public = port or one.getsockname()[1], other.getsockname()[1]
        self.folder = folder
        self._log = folder / "gunicorn.log"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.runtime.calls.settings",
            "INSIDE_PORT": str(self.port),
            "WEB_WORKERS": "1",
            "STATE_DIR": str(folder),
            **environ,
        }
        binds = [word for port in (self.port, self.public) for word in ("-b", f"127.0.0.1:{port}")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", *binds, "config.wsgi"],
            cwd=ROOT,
            env=environment,
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: "Booting worker" in self.log or self._process.poll() is not None, limit=60)
        assert self._process.poll() is None, self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def terminate(self) -> None:
        self._process.terminate()

    def await_end(self) -> None:
        self._process.wait(30)

    def kill(self) -> None:
        """Together with its workers."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        wait_until(self._is_gone)

    def _is_gone(self) -> bool:
        """A worker outlives its master by a moment."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0
