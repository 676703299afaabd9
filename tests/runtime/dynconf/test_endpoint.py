"""Other services ask for the values over HTTP, with the version that they have; nobody else may."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from contracts._base import new_id
from runtime.dynconf import store, values
from runtime.dynconf.values import Snapshot
from runtime.http import configuration
from runtime.identity import service_tokens, tokens
from tests.together import together

pytestmark = pytest.mark.django_db

PORT = 8001


@pytest.fixture(autouse=True)
def _inside(settings) -> None:
    settings.INSIDE_PORT = PORT


def ask(path: str = "", *, token: str | None = "", method: str = "GET", port: int = PORT, **headers: str) -> Any:
    given = service_tokens.issue(audience="users") if token == "" else token
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if given is not None:
        sent["Authorization"] = f"Bearer {given}"
    return Client().generic(method, f"/internal/config{path}", headers=sent, SERVER_PORT=str(port))


def refused(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_what_was_changed_is_told_with_its_version():
    assert ask().json() == {"version": 0, "values": {}}
    store.change(key="orders.budget", text="1s")
    store.change(key="orders.accepting", text="off")
    store.change(key="orders.accepting", text=None)

    answer = ask()

    assert answer.json() == {"version": 3, "values": {"orders.budget": "1s"}}
    there = Snapshot(version=3, texts={"orders.budget": "1s"})
    assert answer["ETag"] == there.tag
    assert ask(If_None_Match=there.tag).status_code == 304
    # Another version, and another history that has come as far.
    for other in (Snapshot(version=4, texts=there.texts), Snapshot(version=3, texts={"orders.budget": "2s"})):
        assert ask(If_None_Match=other.tag).json()["version"] == 3


def test_one_value_is_told_with_what_it_may_be(settings):
    settings.ORDER_BUDGET = 3.0
    store.change(key="orders.budget", text="1s")

    answer = ask("/orders.budget")

    assert answer.json() == {
        "key": "orders.budget",
        "value": "1s",
        "default": "3s",
        "kind": "duration",
        "least": "0s",
        "most": "60s",
        "description": "How long a request places an order itself before a worker goes on (202).",
        "version": 1,
    }
    assert answer["ETag"] == Snapshot(version=1, texts={"orders.budget": "1s"}).tag
    assert ask("/orders.accepting").json()["value"] == "on"
    assert refused(ask("/orders.nothing")) == (404, "unknown_value")


@pytest.mark.parametrize("path", ["", "/orders.budget"])
def test_only_a_service_with_a_token_for_the_domain_may_ask(path):
    for token in (
        None,
        "x",
        tokens.issue(user_id=new_id(), roles=["administrator"]),
        service_tokens.issue(audience="orders"),
    ):
        assert refused(ask(path, token=token)) == (401, "invalid_service_token")
    assert ask(path, port=80).status_code == 404
    assert refused(ask(path, method="POST")) == (405, "method_not_allowed")


def test_a_process_that_does_not_host_the_table_says_so(settings):
    settings.HOSTED_DOMAINS = ("orders",)

    assert refused(ask()) == (421, "not_hosted")
    assert refused(ask("/orders.budget")) == (421, "not_hosted")


@pytest.mark.parametrize("wait", ["-1", "x", "1.5", "99999", "٣"])
def test_a_time_to_wait_is_whole_seconds(wait):
    assert refused(ask(f"?wait={wait}")) == (400, "bad_wait")


def test_who_waits_is_answered_when_there_is_news(monkeypatch):
    values.apply(Snapshot(version=0))
    monkeypatch.setattr(configuration, "_read", lambda: Snapshot(version=1, texts={"orders.budget": "1s"}))
    began = time.monotonic()

    def news() -> None:
        values.apply(Snapshot(version=1, texts={"orders.budget": "1s"}))

    answers = together(lambda: ask("?wait=30", If_None_Match=Snapshot().tag), news)

    assert time.monotonic() - began < 10
    assert answers[0].json()["version"] == 1
    assert answers[1] is None


def test_who_waits_in_vain_is_told_so():
    answer = ask("?wait=1", If_None_Match=Snapshot().tag)

    assert (answer.status_code, answer["Config-Waited"]) == (304, "1")


def test_who_finds_no_place_to_wait_is_answered_at_once():
    places = configuration._places()
    held = []
    while True:
        try:
            held.append(places.__enter__())
        except Exception:
            break
    began = time.monotonic()
    try:
        answer = ask("?wait=30", If_None_Match=Snapshot().tag)
    finally:
        for each in held:
            each.__exit__(None, None, None)

    assert time.monotonic() - began < 5
    assert (answer.status_code, answer["Config-Waited"]) == (304, "0")
    assert len(held) == 2


def test_a_process_that_ends_keeps_nobody_waiting():
    configuration.leave_when(lambda: True)
    began = time.monotonic()
    try:
        answer = ask("?wait=30", If_None_Match=Snapshot().tag)
    finally:
        configuration.leave_when(lambda: False)

    assert time.monotonic() - began < 5
    assert (answer.status_code, answer["Config-Waited"]) == (304, "0")
