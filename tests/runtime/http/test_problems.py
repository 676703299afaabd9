"""Every error is an RFC 9457 problem, wherever it comes from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError, connections
from django.http import Http404
from django.urls import path
from rest_framework.exceptions import Throttled

from contracts._base import DeadlineExceeded, Money, Rejected, Unavailable
from runtime.http.problem import Problem, field_error, parameter_problem
from runtime.http.views import View
from runtime.identity import Anyone, Requires


class OutOfStock(Rejected):
    """Too few units are available."""

    code: ClassVar[str] = "out_of_stock"


class Missing(Rejected):
    """No such thing."""

    code: ClassVar[str] = "missing"


class MissingOrder(Missing):
    """No such order."""


@dataclass(frozen=True)
class Line:
    unit_price: Money


@pytest.fixture
def failing(serve):
    """``failing(error)`` is what a view that raises it answers."""

    def answer(error: Exception, method: str = "get"):
        class Fails(View):
            permission_classes = [Anyone]
            problem_status = {Missing: 404}

            def get(self, request, name):
                raise error

        return getattr(serve(path("thing/<str:name>", Fails.as_view())), method)("/thing/a%20b?secret=1")

    return answer


def test_a_problem_has_the_members_of_rfc_9457_and_ours(failing):
    answer = failing(Problem(402, "payment_declined", "No money was taken.", order_id=UUID(int=7)))

    assert answer.status_code == 402
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Payment Required",
        "status": 402,
        "detail": "No money was taken.",
        "instance": "/thing/a%20b",
        "code": "payment_declined",
        "orderId": "00000000-0000-0000-0000-000000000007",
    }


def test_a_refusal_is_a_409_with_its_code_and_its_facts(failing):
    money = Money(Decimal("12.5"), "GBP")
    answer = failing(OutOfStock(skus=("A", "B"), best_price=money, lines=[Line(money)]))

    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["detail"]) == ("out_of_stock", "Too few units are available.")
    assert body["skus"] == ["A", "B"]
    assert body["bestPrice"] == {"amount": "12.50", "currency": "GBP"}
    assert body["lines"] == [{"unitPrice": {"amount": "12.50", "currency": "GBP"}}]


def test_the_facts_of_a_refusal_never_replace_what_a_problem_is(failing):
    body = failing(OutOfStock(status="x", code="y", type="z", headers={"Location": "elsewhere"})).json()

    assert (body["status"], body["code"], body["type"]) == (409, "out_of_stock", "about:blank")


@pytest.mark.parametrize("error", [Missing(), MissingOrder()])
def test_a_view_may_give_a_refusal_and_its_kinds_another_status(failing, error):
    assert failing(error).status_code == 404


@pytest.mark.parametrize("error", [Unavailable("x"), DeadlineExceeded("y")])
def test_who_cannot_answer_is_a_503_with_retry_after(failing, error):
    answer = failing(error)

    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "5", error.code)


@pytest.mark.parametrize("error", [OperationalError("server closed the connection"), InterfaceError("closed")])
def test_a_database_that_is_gone_is_a_503_without_its_words(failing, error):
    answer = failing(error)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "database_unavailable"
    assert "closed" not in answer.content.decode()


@pytest.mark.django_db
def test_a_statement_that_takes_too_long_is_a_503(serve):
    class Slow(View):
        permission_classes = [Anyone]

        def get(self, request):
            with connections["users"].cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)")

    assert serve(path("slow", Slow.as_view())).get("/slow").status_code == 503


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("secret"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "permission_denied"),
        (RequestDataTooBig("secret"), 413, "body_too_large"),
        (SuspiciousOperation("secret"), 400, "bad_request"),
        (Throttled(), 429, "throttled"),
        (ValueError("secret"), 500, "internal_error"),
        (KeyError("secret"), 500, "internal_error"),
        (AssertionError("secret"), 500, "internal_error"),
        (RecursionError("secret"), 500, "internal_error"),
    ],
)
def test_other_errors_say_what_they_are_and_nothing_of_the_inside(failing, error, status, code):
    answer = failing(error)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


def test_what_nobody_foresaw_is_logged_with_its_traceback_and_without_the_query(failing, caplog):
    failing(ValueError("the cause"))

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info
    assert "the cause" in str(record.exc_info[1])
    assert "secret" not in record.getMessage()


def test_a_failure_is_logged_once(failing, caplog):
    failing(ValueError("the cause"))
    failing(OperationalError("gone"))

    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR", "WARNING"]


def test_what_the_caller_did_wrong_is_not_logged_as_an_error(failing, caplog):
    failing(Missing())
    failing(Problem(400, "x", "y"))

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_errors_point_into_the_body_or_name_the_parameter(failing):
    field = failing(Problem(400, "unknown_sku", "x", errors=[field_error("/items/0/sku", "unknown_sku", "y")]))
    parameter = failing(parameter_problem("limit", "invalid_limit", "x"))

    assert field.json()["errors"] == [{"pointer": "/items/0/sku", "detail": "y", "code": "unknown_sku"}]
    assert parameter.json()["errors"] == [{"parameter": "limit", "detail": "x", "code": "invalid_limit"}]


# --- Outside of any view --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_an_address_that_is_not_there_is_a_404_problem(serve, method):
    answer = getattr(serve(), method)("/nothing/here?x=1")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    if method != "head":
        assert answer.json()["instance"] == "/nothing/here"


def test_a_view_outside_of_drf_that_fails_is_a_500_problem(serve):
    def fails(request):
        raise ValueError("secret")

    answer = serve(path("fails", fails)).get("/fails")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.content.decode()


def test_another_method_is_a_405_that_says_which_are_allowed(failing):
    answer = failing(ValueError(), method="delete")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "OPTIONS"} <= {word.strip() for word in answer["Allow"].split(",")}
    assert "DELETE" not in answer["Allow"]


# --- Who is calling -------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(serve):
    class Guarded(View):
        permission_classes = [Requires("orders.view_any")]

        def get(self, request):
            raise Problem(418, "reached", "The view ran.")

    class ForAnyone(View):
        permission_classes = [Anyone]

        def get(self, request):
            raise Problem(418, "reached", "The view ran.")

    class SaysNothing(View):
        def get(self, request):
            raise Problem(418, "reached", "The view ran.")

    return serve(
        path("guarded", Guarded.as_view()),
        path("anyone", ForAnyone.as_view()),
        path("says-nothing", SaysNothing.as_view()),
    )


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_nobody_is_401_somebody_else_403_and_who_may_gets_in(guarded, signed_in):
    nobody = guarded.get("/guarded")

    assert code_of(nobody) == (401, "not_authenticated")
    assert nobody["WWW-Authenticate"] == 'Bearer realm="mitosis"'
    assert code_of(guarded.get("/guarded", headers=signed_in("customer"))) == (403, "permission_denied")
    assert code_of(guarded.get("/guarded", headers=signed_in())) == (403, "permission_denied")
    assert code_of(guarded.get("/guarded", headers=signed_in("support"))) == (418, "reached")


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer ", "bearer", "Basic YTpi", "Token abc", "x", "Bearer a b"])
@pytest.mark.parametrize("address", ["/guarded", "/anyone", "/says-nothing"])
def test_a_bad_token_is_a_401_everywhere(guarded, header, address):
    answer = guarded.get(address, headers={"authorization": header})

    assert code_of(answer) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_view_that_says_nothing_is_for_whoever_is_signed_in(guarded, signed_in):
    assert code_of(guarded.get("/says-nothing")) == (401, "not_authenticated")
    assert code_of(guarded.get("/says-nothing", headers=signed_in())) == (418, "reached")


def test_identity_headers_that_a_gateway_might_set_are_not_believed(guarded):
    forged = {"x-user-id": "00000000-0000-0000-0000-000000000001", "x-user-roles": "administrator"}

    assert code_of(guarded.get("/guarded", headers=forged)) == (401, "not_authenticated")


def test_a_token_is_verified_once_for_a_request(guarded, signed_in, monkeypatch):
    from runtime.identity import authentication

    verified = []
    original = authentication.verify
    monkeypatch.setattr(authentication, "verify", lambda token: verified.append(token) or original(token))

    guarded.get("/guarded", headers=signed_in("support"))

    assert len(verified) == 1
