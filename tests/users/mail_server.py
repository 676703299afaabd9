"""A mail server of the tests' own: real SMTP on a port of this machine, and as moody as it is told to be."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(slots=True)
class MailServer:
    """``answers`` are given to RCPT one after another, the last one again and again."""

    port: int = 0
    answers: list[str] = field(default_factory=lambda: ["250 ok"])
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    def next_answer(self) -> str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def running(port: int = 0) -> Iterator[MailServer]:
    server = MailServer()

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line[:4].upper()
                if word == "QUIT":
                    return self._say("221 bye")
                if word == "RCPT":
                    answer = server.next_answer()
                    if answer.startswith("250"):
                        server.recipients.append(line.partition("<")[2].rstrip(">"))
                    self._say(answer)
                elif word == "DATA":
                    self._say("354 go on")
                    server.letters.append(message_from_bytes(self._data(), policy=policy.default))
                    self._say("250 taken")
                else:
                    self._say("250 ok")
            return None

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line)
            return b"".join(lines)

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Listener(("127.0.0.1", port), Conversation) as listener:
        server.port = listener.server_address[1]
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join(10)
