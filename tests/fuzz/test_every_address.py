"""
Whatever is sent to whichever address by whomever, the answer is one that the document promises, and never a 5xx.

Cases are made from the document itself, right ones and wrong ones, the same in every run. An operator's are the most,
since an operator gets furthest: each boundary of each value, and then some at random.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation

from config.openapi import document
from config.urls import API
from tests.fuzz.conftest import CUSTOMER, NOBODY, STAFF

pytestmark = pytest.mark.xdist_group("fuzz")

DEEP = {
    ("POST", "/api/orders"),
    ("POST", "/api/orders/{order_id}/cancel"),
    ("POST", "/api/orders/{order_id}/ship"),
    ("POST", "/api/payments/{payment_id}/refunds"),
    ("POST", "/api/inventory/products/{sku}/restock"),
    ("PATCH", "/api/inventory/products/{sku}"),
    ("PUT", "/api/users/{user_id}/roles"),
    ("PATCH", "/api/users/{user_id}"),
    ("DELETE", "/api/users/{user_id}"),
}

TOO_LONG = {414, 431}

PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]


def _closed(found: dict[str, Any]) -> dict[str, Any]:
    """The document read strictly: what an answer has and it does not name is a fault. (Problems may say more.)"""
    found = copy.deepcopy(found)
    for name, part in found["components"]["schemas"].items():
        if part.get("type") == "object" and "properties" in part and name not in ("Problem", "ProblemRequest"):
            part["additionalProperties"] = False
    return found


def _api(*, boundaries: bool, modes: Sequence[GenerationMode]) -> Any:
    api = schemathesis.openapi.from_dict(_closed(document(list(API.values()))[0]))
    api.config.generation.update(deterministic=True, with_security_parameters=False, modes=list(modes))
    api.config.phases.coverage.enabled = boundaries
    return api


def _the_same_each_time(cases: int) -> Any:
    checked = list(HealthCheck)
    return settings(max_examples=cases, derandomize=True, deadline=None, database=None, suppress_health_check=checked)


every_boundary = _api(boundaries=True, modes=list(GenerationMode))
right_ones = _api(boundaries=False, modes=[GenerationMode.POSITIVE])
right_and_wrong = _api(boundaries=False, modes=list(GenerationMode))


@every_boundary.parametrize()
@_the_same_each_time(4)
def test_at_every_boundary_an_operator_gets_what_the_document_promises(case: Any, target: Any) -> None:
    _send(case, target, STAFF)


@right_ones.parametrize()
@_the_same_each_time(16)
def test_an_operator_with_good_bodies_gets_what_the_document_promises(case: Any, target: Any) -> None:
    _send(case, target, STAFF)


@right_ones.parametrize()
@_the_same_each_time(8)
def test_a_customer_gets_what_the_document_promises(case: Any, target: Any) -> None:
    _send(case, target, CUSTOMER)


@right_and_wrong.parametrize()
@_the_same_each_time(4)
def test_nobody_in_particular_gets_what_the_document_promises(case: Any, target: Any) -> None:
    _send(case, target, NOBODY)


def _send(case: Any, target: Any, role: str) -> None:
    wrong = {place for place, part in case.meta.components.items() if part.mode is GenerationMode.NEGATIVE}
    target.make_it_matter(case, wrong=wrong)
    # A token that is wrong is put right, so only a wrong body or query has to be refused.
    refused = wrong and wrong <= {ParameterLocation.BODY, ParameterLocation.QUERY}
    wanted = [*PROMISES, checks.negative_data_rejection] if refused else PROMISES
    answer = case.call(base_url=target.url, headers=target.headers(role), session=target.session)
    if answer.status_code in TOO_LONG:
        # Gunicorn's own answer, before any code of ours.
        assert len(str(answer.request.url)) > 4000 or len(str(answer.request.headers)) > 8000
    else:
        case.validate_response(answer, checks=wanted, headers=target.headers(role))
    target.reached[case.method, case.operation.path, answer.status_code] += 1


def test_after_all_that_money_and_stock_still_add_up_and_no_log_has_a_traceback(target: Any) -> None:
    if target.reached.total() < 1000:
        assert os.environ.get("REQUIRE_ALL") != "1", f"only {target.reached.total()} cases were sent"
        pytest.skip("only some of the cases were sent")
    said = target.shop.manage("verify")

    # Whoever only ever knocks finds nothing: some cases have to go all the way.
    done = {(method, path) for method, path, status in target.reached if status < 300}
    assert done >= DEEP, DEEP - done
    assert said.returncode == 0, said.stdout + said.stderr
    for log in (target.shop.folder / "log").glob("*.log"):
        assert "Traceback" not in log.read_text(errors="replace"), log.name
