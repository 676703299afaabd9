"""
A process that stands in for a Consul agent: the part of its HTTP API that is used here, as its documentation says it.

``python -m tests.runtime.discovery.consul_server PORT [TOKEN]``. No Consul comes with the package registries, so that
what a real one does beyond this was never tried.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import urllib3

from tests.together import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Agent:
    """The catalogue, its index, and the clocks of the checks."""

    def __init__(self) -> None:
        self.index = 10
        self.services: dict[str, dict[str, Any]] = {}
        self.reads: list[dict[str, str]] = []
        self.changed = threading.Condition()

    def register(self, service: dict[str, Any]) -> None:
        with self.changed:
            check = service["Check"]
            self.services[service["ID"]] = {
                **service,
                "status": check.get("Status", "critical"),
                "until": time.monotonic() + float(check["TTL"].rstrip("s")),
            }
            self._news()

    def deregister(self, id_: str) -> bool:
        with self.changed:
            found = self.services.pop(id_, None) is not None
            self._news()
            return found

    def check(self, check_id: str, status: str) -> bool:
        with self.changed:
            service = self.services.get(check_id.removeprefix("service:"))
            if service is None:
                return False
            service["until"] = time.monotonic() + float(service["Check"]["TTL"].rstrip("s"))
            if service["status"] != status:
                service["status"] = status
                self._news()
            return True

    def passing(self, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        end = time.monotonic() + float(query.get("wait", "0s").rstrip("s"))
        with self.changed:
            self.reads.append(query)
            while int(query.get("index", "0")) == self.index and time.monotonic() < end:
                self.changed.wait(0.1)
                self._expire()
            self._expire()
            return [
                {
                    "Node": {"Node": "here", "Address": "127.0.0.1"},
                    "Service": {key: service[key] for key in ("ID", "Address", "Port")} | {"Service": name, "Meta": {}},
                    "Checks": [{"Status": service["status"]}],
                }
                for service in self.services.values()
                if service["Name"] == name and service["status"] == "passing"
            ]

    def _expire(self) -> None:
        for service in self.services.values():
            if service["status"] == "passing" and time.monotonic() > service["until"]:
                service["status"] = "critical"
                self._news()

    def _news(self) -> None:
        self.index += 1
        self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agent: Agent
    token = ""

    def log_message(self, *args: object) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.token and self.headers.get("X-Consul-Token") != self.token:
            return self._say(403, "rpc error: Permission denied")
        if found := re.fullmatch(r"/v1/health/service/([^/]+)", parts.path):
            return self._say(200, self.agent.passing(found[1], dict(parse_qsl(parts.query))))
        if parts.path == "/v1/agent/services":
            return self._say(200, self.agent.services)
        if parts.path == "/reads":
            return self._say(200, self.agent.reads)
        return self._say(404, "")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.token and self.headers.get("X-Consul-Token") != self.token:
            return self._say(403, "rpc error: Permission denied")
        if self.path == "/v1/agent/service/register":
            self.agent.register(json.loads(body))
            return self._say(200, None)
        if found := re.fullmatch(r"/v1/agent/service/deregister/(.+)", self.path):
            return self._say(200 if self.agent.deregister(found[1]) else 404, None)
        if found := re.fullmatch(r"/v1/agent/check/(pass|fail)/(.+)", self.path):
            status = {"pass": "passing", "fail": "critical"}[found[1]]
            known = self.agent.check(found[2], status)
            return self._say(200 if known else 404, None if known else f'Unknown check ID "{found[2]}"')
        return self._say(404, "")

    def _say(self, status: int, content: Any) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Consul-Index", str(self.agent.index))
        self.end_headers()
        self.wfile.write(body)


class ConsulServer:
    """The process, and what a test asks of it."""

    def __init__(self, *, token: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._token = token
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.discovery.consul_server", str(self.port), self._token],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        )
        wait_until(self._listens)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def register(self, domain: str, port: int, *, status: str = "passing", address: str = "127.0.0.1") -> str:
        id_ = f"{domain}-{address}-{port}"
        check = {"CheckID": f"service:{id_}", "TTL": "600s", "Status": status}
        body = {"ID": id_, "Name": domain, "Address": address, "Port": port, "Check": check}
        assert self.ask("PUT", "/v1/agent/service/register", json=body).status == 200
        return id_

    def ask(self, method: str, path: str, **more: Any) -> urllib3.BaseHTTPResponse:
        return urllib3.request(method, self.url + path, headers={"X-Consul-Token": self._token}, retries=False, **more)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.ask("GET", "/v1/agent/services").json()
        return found

    @property
    def reads(self) -> list[dict[str, str]]:
        """The queries of who passes, one after another."""
        found: list[dict[str, str]] = self.ask("GET", "/reads").json()
        return found

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


if __name__ == "__main__":
    Handler.agent = Agent()
    Handler.token = sys.argv[2] if len(sys.argv) > 2 else ""
    _Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
