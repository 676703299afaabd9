"""Tells of what happened: signed, twice now and then, in no order, and again until somebody has listened."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import secrets
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import urllib3


class Announcer:
    """``url`` may be set later: what is told before has nowhere to go and is kept until then."""

    def __init__(self, *, url: str, secret: str, seed: int, pace: float) -> None:
        self.url, self.secret = url, secret
        self._dice = random.Random(seed)
        self._pace = pace
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=10.0)
        self._mouths = ThreadPoolExecutor(max_workers=8)
        self._first: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()

    def tell(self, kind: str, about: dict[str, Any], *, twice: bool = False) -> None:
        event = {
            "id": f"evt_{secrets.token_hex(8)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": json.loads(json.dumps(about))},
        }
        with self._lock:
            times = 2 if twice or self._dice.random() < 0.3 else 1
            delays = [self._dice.random() * 0.5 * self._pace for _ in range(times)]
        futures = [self._mouths.submit(self._deliver, event, delay) for delay in delays]
        self._first[about["id"]] = futures[0]

    def wait_for(self, id: str) -> None:
        """Until somebody was told of the last thing that happened to it."""
        if (future := self._first.get(id)) is not None:
            future.result(30)

    def _deliver(self, event: dict[str, Any], delay: float) -> bool:
        time.sleep(delay)
        body = json.dumps(event).encode()
        for _ in range(60):
            if self.url and self._post(body):
                return True
            time.sleep(0.5)
        return False

    def _post(self, body: bytes) -> bool:
        headers = {"Content-Type": "application/json", "Stripe-Signature": sign(body, self.secret, time.time())}
        try:
            return self._http.request("POST", self.url, body=body, headers=headers).status < 300
        except urllib3.exceptions.HTTPError:
            return False


def sign(body: bytes, secret: str, at: float) -> str:
    """The header's value: when it was signed (Unix seconds), and HMAC-SHA256 over that and the raw body."""
    text = f"{at:.0f}.".encode() + body
    return f"t={at:.0f},v1={hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}"
