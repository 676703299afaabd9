"""
A process to stand behind a gateway: it writes down what arrives, a JSON line each, and answers as the address says.

    python recorder.py HOST PORT FILE

``…/status/503`` answers so; ``…/slow/1.5`` takes so many seconds; ``…/gone`` closes the connection without an answer;
``…/forged-session`` takes the cookie away. /health/ready is 503 while FILE.unready exists; probes are not written down.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: Path
    lock = threading.Lock()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health/ready":
            self._say(503 if self.file.with_suffix(".unready").exists() else 200)
            return
        self._write_down(self._body())
        what, _, value = path.rpartition("/")
        if path.endswith("/gone"):
            self.close_connection = True
        elif what.endswith("/status"):
            self._say(int(value))
        else:
            if what.endswith("/slow"):
                time.sleep(float(value))
            self._say(200)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - the library's names

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write_down(self, body: bytes) -> None:
        said = {
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body.decode("latin-1"),
            "port": self.server.server_port,  # type: ignore[attr-defined]
        }
        with self.lock, self.file.open("a") as file:
            file.write(json.dumps(said) + "\n")

    def _say(self, status: int) -> None:
        body = json.dumps({"port": self.server.server_port}).encode()  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.path.endswith("/forged-session"):
            self.send_header("Set-Cookie", 'console=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/admin')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Probes end when they have seen the status."""


if __name__ == "__main__":
    Recorder.file = Path(sys.argv[3])
    with Server((sys.argv[1], int(sys.argv[2])), Recorder) as server:
        # The parent waits for this line's file.
        Recorder.file.touch()
        os.write(1, b"ready\n")
        server.serve_forever()
