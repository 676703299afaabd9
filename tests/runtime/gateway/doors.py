"""A real HAProxy before real processes, and exact requests to it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime.embedded.launch import free_port
from runtime.embedded.process import Child
from runtime.gateway import program
from runtime.gateway.site import Group, Limits, Route, Server, Site, Tokens
from tests.together import wait_until

TOKENS = Tokens(issuer="mitosis", audience="mitosis-api", checked=("/api",), unchecked=("/api/people/token",))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    def __getitem__(self, name: str) -> str | None:
        return self.headers[name]


class Backend:
    """recorder.py in a process of its own, on 127.0.0.1 or ``everywhere``."""

    def __init__(self, folder: Path, name: str, *, port: int = 0, everywhere: bool = False) -> None:
        self._host = "0.0.0.0" if everywhere else "127.0.0.1"
        self.port = port or free_port()
        self._file = folder / f"{name}.jsonl"
        self.start()

    @property
    def server(self) -> Server:
        return Server(host="127.0.0.1", port=self.port)

    def start(self) -> None:
        script = Path(__file__).with_name("recorder.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), self._host, str(self.port), str(self._file)], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def is_ready(self, ready: bool) -> None:
        sign = self._file.with_suffix(".unready")
        if ready:
            sign.unlink(missing_ok=True)
        else:
            sign.touch()

    @property
    def arrived(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    def forget(self) -> None:
        self._file.write_text("")

    def only(self) -> dict[str, Any]:
        """The one request that arrived."""
        (request,) = self.arrived
        return request


class Door:
    """A running gateway; with ``held`` on a socket that somebody else holds, and then its bind is not looked at."""

    def __init__(self, site: Site, *, held: socket.socket | None = None) -> None:
        self.site = replace(site, bind=f"fd@{held.fileno()}") if held else site
        self.port = held.getsockname()[1] if held else int(site.bind.rpartition(":")[2])
        self.log_file = site.folder / "gateway.log"
        self.started = time.monotonic()
        self._held = held
        program.check(self.site)
        self.start()

    def start(self) -> None:
        main, fds = program.write(self.site), (self._held.fileno(),) if self._held else ()
        self.child = Child(
            program.command(main), log=self.log_file, env=program.environment(), cwd=main.parent, pass_fds=fds
        )
        wait_until(lambda: self.child.exited() or self.answers())
        assert not self.child.exited(), self.child.said()

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def await_ready(self) -> None:
        wait_until(lambda: self.send("GET", "/health/ready").status == 200)

    def reload(self, site: Site) -> None:
        program.reload(site, pid=self.child.pid)

    def await_former_worker(self) -> None:
        """After a reload: until whoever served before has ended."""
        wait_until(lambda: "Former worker" in self.log_file.read_text(), limit=30)

    def stop(self) -> None:
        self.child.end(signal.SIGTERM, limit=10)

    @property
    def log(self) -> list[dict[str, Any]]:
        """A line for each request that has ended. The last one may be half written yet."""
        *lines, _ = self.log_file.read_text().split("\n")
        return [json.loads(line) for line in lines if line.startswith("{")]

    def send(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = (), *, body: bytes | None = None
    ) -> Answer:
        return send(self.port, method, path, headers, body=body)


def send(
    port: int, method: str, path: str, headers: Sequence[tuple[str, str]] = (), *, body: bytes | None = None
) -> Answer:
    """One request on a connection of its own. The path goes out as it is, a header as often as it is given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def raw(port: int, data: bytes) -> bytes:
    """These bytes and no others; everything that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(data)
        found = b""
        while piece := connection.recv(65536):
            found += piece
    return found


def site_of(folder: Path, groups: Sequence[Group], keys: dict[str, str], **changes: Any) -> Site:
    """A site of this folder: /api/<domain> and /admin/<domain> for each domain, the rest with the first."""
    domains = [domain for group in groups for domain in group.domains]
    site = Site(
        bind=f"127.0.0.1:{free_port()}",
        groups=tuple(groups),
        routes=(
            *(Route(path=f"/{part}/{domain}", domain=domain) for part in ("api", "admin") for domain in domains),
            Route(path="/admin", domain=domains[0]),
        ),
        keys=keys,
        tokens=TOKENS,
        limits=Limits(),
        folder=folder,
    )
    return replace(site, **changes)
