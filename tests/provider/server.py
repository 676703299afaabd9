"""The provider's HTTP: Stripe's addresses, its idempotency keys, and the ways in which an answer does not arrive."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.provider.methods import Method
from tests.provider.money import Money, Refused, Row, shown
from tests.provider.webhooks import Announcer

Answer = tuple[int, Any, dict[str, str]]

LONGEST_SILENCE = 60.0
FLOOD = 10 * 1024**3
"""Bytes."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, money: Money, announcer: Announcer, *, pace: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.money, self.announcer, self.pace = money, announcer, pace
        self.gate = threading.Lock()
        self.busy: set[str] = set()
        self.log: list[Row] = []
        self.confused: Row = {}
        self.refuses_keys = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asks may be killed while it does: that is what this is for, and no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the body waits for the other side to acknowledge the headers, which takes it 40 ms.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._serve("GET", parse_qsl(urlsplit(self.path).query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self._serve("POST", parse_qsl(body, keep_blank_values=True))

    def log_message(self, *words: Any) -> None:
        """Nothing is to be said."""

    # --- A question -------------------------------------------------------------------------------------------------

    def _serve(self, verb: str, pairs: list[tuple[str, str]]) -> None:
        path, words = urlsplit(self.path).path, dict(pairs)
        if path.startswith("/tester/"):
            return self._tester(path, words)
        key = self.headers.get("Idempotency-Key", "")
        entry = {"verb": verb, "path": path, "key": key, "words": words, "headers": dict(self.headers)}
        self.server.log.append(entry)
        known = self.headers.get("Authorization", "").startswith("Bearer sk_test_")
        if self.server.refuses_keys or not known:
            return self._send(*_refusal(Refused(401, "invalid_request_error", "no key, or a wrong one")))
        answer = self._answered_once(key, f"{verb} {path} {sorted(pairs)}", path, words)
        return self._arrive(path, words, answer)

    def _answered_once(self, key: str, fingerprint: str, path: str, words: dict[str, str]) -> Answer:
        """Where there is a key: the stored answer of the first time, or a refusal."""
        with self.server.gate:
            if key in self.server.busy:
                return _refusal(Refused(409, "idempotency_error", "this key is in use", code="idempotency_key_in_use"))
            self.server.busy |= {key} - {""}
        try:
            with self.server.money.lock:
                return self._stored_or_new(key, fingerprint, path, words)
        finally:
            with self.server.gate:
                self.server.busy.discard(key)

    def _stored_or_new(self, key: str, fingerprint: str, path: str, words: dict[str, str]) -> Answer:
        money = self.server.money
        if stored := money.answers.get(key) if key else None:
            if stored["fingerprint"] != fingerprint:
                message = "Keys for idempotent requests can only be used with the same parameters."
                return _refusal(Refused(400, "idempotency_error", message))
            return stored["status"], stored["body"], {"Idempotent-Replayed": "true"}
        answer, kept = self._execute(path, words)
        if key and kept:
            money.keep_answer(key, {"fingerprint": fingerprint, "status": answer[0], "body": answer[1]})
        return answer

    def _execute(self, path: str, words: dict[str, str]) -> tuple[Answer, bool]:
        try:
            row = self._route(path, words)
        except Refused as refusal:
            return _refusal(refusal), refusal.kept
        if path.endswith(("/confirm", "/capture")):
            intent = self.server.money.intents[row["id"]]
            if self._fault(path, intent).answer == "500" and intent["received"]:
                return _refusal(Refused(500, "api_error", "something went wrong")), True
        return (200, row, {}), True

    def _route(self, path: str, words: dict[str, str]) -> Row:
        money = self.server.money
        if path == "/v1/payment_intents":
            if self.command == "GET":
                return self._list(money.intents, words)
            confused, self.server.confused = self.server.confused, {}
            return {**shown(money.prepare(words)), **confused}
        if path == "/v1/refunds":
            return money.refund(words) if self.command == "POST" else self._list(money.refunds, words)
        found = re.fullmatch(r"/v1/payment_intents/(\w+)(?:/(confirm|capture|cancel))?", path)
        if not found:
            raise Refused(404, "invalid_request_error", f"Unrecognized request URL ({path})")
        id, verb = found.groups()
        if verb is None:
            expanded = [value for name, value in words.items() if name.startswith("expand")]
            return shown(money.look_up(id), *expanded)
        if verb == "confirm":
            return shown(money.confirm(id, words))
        return shown(money.capture(id) if verb == "capture" else money.cancel(id))

    def _list(self, rows: dict[str, Row], words: dict[str, str]) -> Row:
        """The newest first, from behind ``starting_after``."""
        all_of_them = [row for row in reversed(rows.values()) if _wanted(row, words)]
        if after := words.get("starting_after"):
            all_of_them = all_of_them[[row["id"] for row in all_of_them].index(after) + 1 :]
        limit = int(words.get("limit", "10"))
        if not 1 <= limit <= 100:
            raise Refused(400, "invalid_request_error", f"limit {limit} is not from 1 to 100")
        expanded = [value.removeprefix("data.") for name, value in words.items() if name.startswith("expand")]
        page = [shown(row, *expanded) if "received" in row else row for row in all_of_them[:limit]]
        return {"object": "list", "url": "/v1/x", "has_more": len(all_of_them) > limit, "data": page}

    # --- How it arrives ---------------------------------------------------------------------------------------------

    def _fault(self, path: str, intent: Row) -> Method:
        """The question that moves the money is the one that goes wrong: confirm, or capture where it is held first."""
        verb = "/capture" if intent["capture_method"] == "manual" else "/confirm"
        return self.server.money.method(intent["id"]) if path.endswith(verb) else Method()

    def _arrive(self, path: str, words: dict[str, str], answer: Answer) -> None:
        how = "well"
        if self.command == "POST" and path == "/v1/refunds":
            how = self.server.money.method(words.get("payment_intent", "")).refund_answer
        elif found := re.match(r"/v1/payment_intents/(\w+)/", path):
            intent = self.server.money.intents.get(found[1])
            how = self._fault(path, intent).answer if intent else "well"
            if how == "after_webhook":
                self.server.announcer.wait_for(found[1])
        if how == "never":
            return self._never()
        if how == "slow":
            time.sleep(2.0 * self.server.pace)
        return self._send(*answer, how=how)

    def _never(self) -> None:
        """Nothing comes, for as long as somebody waits."""
        end = time.monotonic() + LONGEST_SILENCE
        while time.monotonic() < end:
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True

    def _send(self, status: int, content: Any, headers: dict[str, str], *, how: str = "well") -> None:
        body = json.dumps(content).encode()
        kind = "application/json"
        if how == "nonsense":
            body = json.dumps({**content, "status": "resting"}).encode()
        if how == "html":
            body, kind = b"<html>All is well.</html>", "text/html"
        if how == "redirect":
            status, headers = 307, {"Location": f"http://127.0.0.1:{self.server.server_address[1]}/tester/canary"}
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Request-Id": "req_test", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(FLOOD if how == "flood" else len(body)))
        self.end_headers()
        if how == "flood":
            return self._flood(content["id"])
        if how == "reset":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return None
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True
        return None

    def _flood(self, id: str) -> None:
        """More than anybody wants, until nobody reads it any more; and how much that was."""
        self.close_connection = True
        sent = self.wfile.write(b'{"id": "')
        try:
            while sent < FLOOD:
                sent += self.wfile.write(b"x" * 65_536)
        except OSError:
            words = {"id": id, "sent": sent}
            self.server.log.append({"verb": "", "path": "/tester/flood", "key": "", "words": words, "headers": {}})

    # --- For the tester ---------------------------------------------------------------------------------------------

    def _tester(self, path: str, words: dict[str, str]) -> None:
        """Where webhooks go to, what is answered instead, whether our key is refused, and what was asked."""
        if path == "/tester/webhooks":
            self.server.announcer.url = words["url"]
        if path == "/tester/confuse":
            self.server.confused = json.loads(words["say"])
        if path == "/tester/keys":
            self.server.refuses_keys = words["refuse"] == "yes"
        if path == "/tester/canary":
            self.server.log.append({"verb": self.command, "path": path, "key": "", "words": words, "headers": {}})
        self._send(200, self.server.log if path == "/tester/asked" else {}, {})


def _wanted(row: Row, words: dict[str, str]) -> bool:
    return words.get("payment_intent", row.get("payment_intent")) == row.get("payment_intent")


def _refusal(refusal: Refused) -> Answer:
    return refusal.status, refusal.body, {}
