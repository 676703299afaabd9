"""Who has no signing key checks tokens with the keys that the signing service publishes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from runtime.identity import keys, published_keys
from runtime.identity.jwk import BadKeySet, keys_in, published, thumbprint
from runtime.identity.keys import signing_key
from runtime.identity.published_keys import PublishedKeys
from runtime.identity.tokens import BadToken, issue, verify
from tests.together import wait_until

USER = uuid4()
KEYS = [rsa.generate_private_key(65537, 2048).public_key() for _ in range(2)]
FIRST, SECOND = ({thumbprint(key): key} for key in KEYS)
(ONE,), (TWO,) = FIRST, SECOND


@dataclass(slots=True)
class Publisher:
    """The signing service, as its neighbours see it."""

    url: str = ""
    asked: int = 0
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)

    def publish(self, *sets: dict[str, Any]) -> None:
        self.status, self.body = 200, json.dumps(published({k: v for one in sets for k, v in one.items()})).encode()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    found = Publisher()
    found.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            found.hold.wait(10)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        yield found
        found.hold.set()
        server.shutdown()


@pytest.fixture
def clock(monkeypatch):
    """The time that ``published_keys`` goes by; ``tick`` moves it."""

    class Clock:
        now = time.monotonic()

        def tick(self, seconds: float) -> None:
            self.now += seconds

    found = Clock()

    class Time:
        @staticmethod
        def monotonic() -> float:
            return found.now

    monkeypatch.setattr(published_keys, "time", Time)
    return found


def test_a_token_is_good_where_only_the_published_keys_are_known(publisher, settings, tmp_path):
    token, own = issue(user_id=USER, roles=["support"]), signing_key()
    publisher.publish({own.kid: own.private.public_key()})
    settings.JWT_SIGNING_KEY, settings.JWKS_URL, settings.JWKS_KEPT_IN = None, publisher.url, tmp_path / "jwks.json"
    keys._published_at.cache_clear()

    assert [verify(token).id for _ in range(3)] == [str(USER)] * 3
    assert publisher.asked == 1
    publisher.publish(SECOND)
    settings.JWKS_URL = f"{publisher.url}?another"
    with pytest.raises(BadToken):
        verify(token)


def test_where_no_key_was_ever_had_a_token_is_neither_good_nor_bad(publisher, settings, tmp_path, client):
    authorization = f"Bearer {issue(user_id=USER, roles=['support'])}"
    publisher.status = 503
    settings.JWT_SIGNING_KEY, settings.JWKS_URL, settings.JWKS_KEPT_IN = None, publisher.url, tmp_path / "jwks.json"
    keys._published_at.cache_clear()

    answer = client.get("/api/orders", HTTP_AUTHORIZATION=authorization)

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "keys_unavailable", "5")
    assert client.get("/api/orders").status_code == 401
    settings.JWKS_URL = None
    assert client.get("/api/orders", HTTP_AUTHORIZATION=authorization).json()["code"] == "invalid_token"


def test_keys_are_asked_for_when_the_first_token_comes_and_then_believed(publisher, clock):
    publisher.publish(FIRST)
    found = PublishedKeys(publisher.url)
    assert (publisher.asked, found.known()) == (0, {})

    assert [found.find(ONE) for _ in range(5)] == [KEYS[0]] * 5
    assert publisher.asked == 1


def test_whoever_needs_them_before_any_token_comes_waits_for_the_first_answer_and_for_no_other(publisher, clock):
    publisher.publish(FIRST)
    found = PublishedKeys(publisher.url)

    assert [found.fetched() for _ in range(3)] == [FIRST] * 3
    assert publisher.asked == 1

    publisher.status = 503
    assert PublishedKeys(publisher.url).fetched() == {}


def test_an_unknown_key_is_asked_for_once_in_ten_seconds(publisher, clock):
    publisher.publish(FIRST)
    found = PublishedKeys(publisher.url)
    found.find(ONE)

    assert [found.find(f"made up {number}") for number in range(50)] == [None] * 50
    assert publisher.asked == 1
    publisher.publish(FIRST, SECOND)
    assert found.find(TWO) is None
    clock.tick(published_keys.PAUSE_SECONDS)
    assert found.find(TWO) == KEYS[1]
    assert publisher.asked == 2


def test_a_known_key_is_no_reason_to_wait_while_the_service_does_not_answer(publisher, clock):
    publisher.publish(FIRST)
    found = PublishedKeys(publisher.url)
    found.find(ONE)
    publisher.hold.clear()
    clock.tick(published_keys.STALE_SECONDS)

    before = time.perf_counter()
    assert found.find(ONE) == KEYS[0]
    wait_until(lambda: publisher.asked == 2)
    # Somebody else asks already: an unknown one is unknown.
    assert (found.find(ONE), found.find(TWO)) == (KEYS[0], None)
    assert time.perf_counter() - before < 1.5


def test_what_is_stale_is_fetched_anew_and_a_key_that_was_taken_back_is_forgotten(publisher, clock):
    publisher.publish(FIRST)
    found = PublishedKeys(publisher.url)
    found.find(ONE)
    publisher.publish(SECOND)
    clock.tick(published_keys.STALE_SECONDS)

    wait_until(lambda: found.known() == SECOND)

    assert found.known() == SECOND


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b""),
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": {}}'),
        (200, b" " * 300_000),
    ],
)
def test_the_last_good_keys_hold_through_an_outage_and_a_restart(publisher, clock, tmp_path, status, body):
    publisher.publish(FIRST)
    first = PublishedKeys(publisher.url, kept_in=tmp_path / "state" / "jwks.json")
    first.find(ONE)
    publisher.status, publisher.body = status, body
    clock.tick(published_keys.STALE_SECONDS)

    assert first.find(TWO) is None
    assert first.known() == FIRST
    second = PublishedKeys(publisher.url, kept_in=tmp_path / "state" / "jwks.json")
    assert second.find(ONE) == KEYS[0]
    assert (tmp_path / "state" / "jwks.json").stat().st_mode & 0o777 == 0o600


def test_what_was_kept_from_another_address_or_is_no_key_set_is_not_believed(publisher, tmp_path):
    path = tmp_path / "jwks.json"
    for kept in (
        json.dumps({"url": "http://127.0.0.1:9/", **published(FIRST)}),
        json.dumps(published(FIRST)),
        json.dumps({"url": publisher.url, "keys": 7}),
        "half a fi",
    ):
        path.write_text(kept)
        assert PublishedKeys(publisher.url, kept_in=path).known() == {}


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_the_note(publisher, tmp_path):
    (tmp_path / "file").write_text("")
    publisher.publish(FIRST)

    assert PublishedKeys(publisher.url, kept_in=tmp_path / "file" / "jwks.json").find(ONE) == KEYS[0]


def test_no_redirect_is_followed(publisher):
    publisher.publish(FIRST)
    publisher.status, publisher.headers = 302, {"Location": publisher.url}

    assert PublishedKeys(publisher.url).find(ONE) is None
    assert publisher.asked == 1


def test_while_nothing_is_known_all_wait_for_one_fetch_and_it_is_tried_again_each_second(publisher, clock):
    found = PublishedKeys(publisher.url)
    publisher.status = 503
    assert (found.find(ONE), found.find(ONE), publisher.asked) == (None, None, 1)
    clock.tick(published_keys.FIRST_PAUSE_SECONDS)
    publisher.publish(FIRST)
    publisher.hold.clear()
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(found.find(ONE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: publisher.asked == 2)
    publisher.hold.set()
    for thread in threads:
        thread.join()

    assert answers == [KEYS[0]] * 8
    assert publisher.asked == 2


# --- Key sets -------------------------------------------------------------------------------------------------------

GOOD = published(FIRST)["keys"][0]


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "EC"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"alg": "HS256"},
        {"alg": None},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": "k" * 201},
        {"d": "AQAB"},
        {"n": None},
        {"n": ""},
        {"n": "not base64!"},
        {"n": "AQAB"},
        {"n": "_" * 2000},
        {"e": "AA"},
        {"e": "Ag"},
    ],
)
def test_what_is_no_key_of_ours_is_passed_over(changed):
    other = published(SECOND)["keys"][0]

    assert keys_in({"keys": [{**GOOD, **changed}, other, "text", None]}) == SECOND
    with pytest.raises(BadKeySet):
        keys_in({"keys": [{**GOOD, **changed}]})


def test_a_short_key_is_none_and_a_set_without_end_is_refused():
    short = rsa.generate_private_key(65537, 1024).public_key()
    with pytest.raises(BadKeySet, match="at least 2048 bits"):
        keys_in(published({"short": short}))
    with pytest.raises(BadKeySet, match="at most 32"):
        keys_in({"keys": [GOOD] * 33})
