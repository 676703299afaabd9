"""A request that is sent again under its key has its effect once and gets the first answer again."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connections
from django.http import HttpResponse
from django.urls import path
from rest_framework.response import Response

from contracts._base import Rejected
from runtime.http.idempotency import fingerprint, idempotent, operation_of
from runtime.http.problem import Problem
from runtime.http.serializers import StrictSerializer, WholeNumberField, body_of
from runtime.http.views import View
from runtime.idempotency.models import IdempotencyKey
from runtime.idempotency.store import begin

pytestmark = pytest.mark.django_db

ADA = uuid4()


class Refused(Rejected):
    """No."""

    code: ClassVar[str] = "refused"


class AddSerializer(StrictSerializer):
    quantity = WholeNumberField()


class Shelf(View):
    """Remembers what was done to it, and fails on request."""

    problem_status = {Refused: 409}
    done: ClassVar[list[tuple[str, int]]] = []
    operations: ClassVar[list[UUID]] = []
    answer: ClassVar[object] = None

    @idempotent(using="inventory")
    def post(self, request, sku):
        quantity = body_of(request, AddSerializer)["quantity"]
        self.done.append((sku, quantity))
        self.operations.append(operation_of(request))
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return Response({"sku": sku, "onHand": quantity}, status=201, headers={"Location": f"/shelf/{sku}"})


@pytest.fixture
def send(serve, signed_in):
    client = serve(path("shelf/<str:sku>", Shelf.as_view()))
    Shelf.done.clear()
    Shelf.operations.clear()
    Shelf.answer = None

    def post(body=None, *, key: str | None = "k", sku: str = "A", user: object = ADA):
        headers = signed_in(user_id=user, **({} if key is None else {"idempotency-key": key}))
        return client.post(f"/shelf/{sku}", {"quantity": 1} if body is None else body, headers=headers)

    return post


def test_the_second_answer_is_the_first_again_and_says_so(send):
    first, second = send(), send()

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json() == {"sku": "A", "onHand": 1}
    assert first["Location"] == second["Location"] == "/shelf/A"
    assert first["Content-Type"] == second["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert first["X-Request-Id"] != second["X-Request-Id"]
    assert Shelf.done == [("A", 1)]


def test_a_body_that_says_the_same_otherwise_is_the_same(send):
    class Two(AddSerializer):
        pass

    send({"quantity": 1})

    assert fingerprint("POST /x", {"a": 1, "b": [1, 2]}) == fingerprint("POST /x", {"b": [1, 2], "a": 1})
    assert fingerprint("POST /x", {"a": [1, 2]}) != fingerprint("POST /x", {"a": [2, 1]})
    assert fingerprint("POST /x", {"a": "1"}) != fingerprint("POST /x", {"a": 1})
    assert fingerprint("POST /x", {"a": 1}) != fingerprint("POST /y", {"a": 1})
    assert send({"quantity": 1})["Idempotency-Replayed"] == "true"


def test_another_body_under_the_key_is_a_422(send):
    send({"quantity": 1})

    answer = send({"quantity": 2})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Shelf.done == [("A", 1)]


def test_another_address_under_the_key_is_a_422(send):
    send(sku="A")

    assert send(sku="B").status_code == 422
    assert Shelf.done == [("A", 1)]


@pytest.mark.parametrize("key", [None, "", " ", "a b", "é", "x" * 256, "a\tb", "\x7f"])
def test_a_missing_or_odd_key_is_a_400(send, key):
    answer = send(key=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert Shelf.done == []


@pytest.mark.parametrize("key", ["!", "~", "x" * 255, '"quoted"', "a/b?c=d"])
def test_any_visible_ascii_is_a_key(send, key):
    assert send(key=key).status_code == 201
    assert send(key=key)["Idempotency-Replayed"] == "true"


def test_anothers_equal_key_never_answers_with_what_is_not_theirs(send):
    send(user=ADA)
    answer = send(user=uuid4())

    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer
    assert len(Shelf.done) == 2


def test_while_the_first_runs_the_second_is_a_409_with_retry_after(send):
    began = begin(
        using="inventory",
        principal=str(ADA),
        route="POST /shelf/<str:sku>",
        key="k",
        fingerprint=fingerprint("POST /shelf/A", {"quantity": 1}),
    )

    answer = send()

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert int(answer["Retry-After"]) >= 1
    assert Shelf.done == []
    assert began.attempt == 1


@pytest.mark.parametrize(
    "answer",
    [
        Problem(402, "payment_declined", "x", headers={"Retry-After": "9"}),
        Problem(403, "user_inactive", "x"),
        Problem(404, "missing", "x"),
        Refused(skus=["A"]),
        HttpResponse(status=204),
        Response(None, status=204),
    ],
)
def test_a_definite_answer_is_kept(send, answer):
    Shelf.answer = answer
    first = send()
    Shelf.answer = None
    second = send()

    assert second["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers.get("Retry-After") == first.headers.get("Retry-After")
    assert len(Shelf.done) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Problem(400, "bad", "x"),
        Problem(401, "who", "x"),
        Problem(422, "odd", "x"),
        Problem(429, "slow", "x"),
        Problem(503, "later", "x"),
        OperationalError("gone"),
        ValueError("a bug"),
    ],
)
def test_an_answer_that_may_change_is_not_kept_and_frees_the_key(send, answer):
    Shelf.answer = answer
    first = send()
    Shelf.answer = None
    second = send({"quantity": 2})

    assert first.status_code >= 400
    assert second.status_code == 201
    assert Shelf.done == [("A", 1), ("A", 2)]
    assert len(set(Shelf.operations)) == 1


def test_a_body_that_cannot_be_taken_leaves_the_key_free(send):
    assert send({"quantity": "one"}).status_code == 400
    assert send({"quantity": 1}).status_code == 201


def test_nobody_is_asked_for_a_token_first(serve):
    client = serve(path("shelf/<str:sku>", Shelf.as_view()))

    assert client.post("/shelf/A", {"quantity": 1}).status_code == 401
    assert not IdempotencyKey.objects.using("inventory").exists()


def test_a_run_that_died_is_run_again_under_the_same_operation(send):
    class Died(BaseException):
        pass

    Shelf.answer = Died()
    with pytest.raises(Died):
        send()
    Shelf.answer = None
    assert send().status_code == 409
    with connections["inventory"].cursor() as cursor:
        cursor.execute("UPDATE idempotency_idempotencykey SET lease_until = clock_now() - interval '1 second'")

    assert send().status_code == 201
    assert len(Shelf.done) == 2
    assert len(set(Shelf.operations)) == 1
