"""The OpenAPI documents say what the addresses do, and the documentation needs nobody else's server."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.validation import validate_schema

from config.openapi import document, part_of
from config.plain_addresses import PLAIN
from config.urls import API
from runtime.http.views import View

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def whole() -> dict:
    return document(list(API.values()))[0]


def operations(found: dict) -> dict[tuple[str, str], dict]:
    return {
        (method, address): operation
        for address, methods in found["paths"].items()
        for method, operation in methods.items()
    }


def addresses() -> dict[str, type[View]]:
    """Every address below /api that a view of ours answers, as OpenAPI writes it."""
    found = {}
    for resolver in API.values():
        for pattern in resolver.url_patterns:
            written = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/api/{pattern.pattern}")
            found[written] = pattern.callback.cls
    return found


def test_the_document_is_openapi_3_1_and_leaves_nothing_to_guess(whole):
    assert document(list(API.values()))[1] == []
    assert whole["openapi"].startswith("3.1")
    validate_schema(whole)


def test_the_document_is_the_one_in_the_repository():
    call_command("openapi", "--check")


def test_a_document_that_is_behind_is_refused(monkeypatch, tmp_path, settings):
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match=r"openapi\.json is not what the code says"):
        call_command("openapi", "--check")
    call_command("openapi")
    call_command("openapi", "--check")
    (tmp_path / "docs" / "openapi.json").write_text("{}")
    with pytest.raises(CommandError):
        call_command("openapi", "--check")


def test_every_address_and_method_is_in_it_and_nothing_else(whole):
    served = {
        (method, address)
        for address, view in addresses().items()
        for method in METHODS
        if callable(getattr(view, method, None))
    }

    assert set(operations(whole)) == served | {("get", address) for address in PLAIN}


def test_every_address_that_belongs_to_no_domain_answers_as_it_is_written(whole):
    for address in PLAIN:
        assert Client().get(address).status_code in map(int, whole["paths"][address]["get"]["responses"]), address


def test_the_served_documents_are_the_same_and_each_domains_is_its_own(whole):
    client = Client()

    assert client.get("/api/schema").json() == whole
    parts = {domain: client.get(f"/api/{domain}/schema").json()["paths"] for domain in settings.HOSTED_DOMAINS}
    assert {address for paths in parts.values() for address in paths} == set(whole["paths"]) - set(PLAIN)
    for domain, paths in parts.items():
        assert {address.split("/")[2] for address in paths} == {domain}


def test_the_part_of_a_domain_is_what_its_own_addresses_come_to(whole):
    for domain, resolver in API.items():
        assert part_of(whole, domain) == document([resolver], whole=False)[0]


def test_operations_have_names_of_their_own(whole):
    names = [operation["operationId"] for operation in operations(whole).values()]

    assert len(names) == len(set(names))


def test_problems_are_documented_as_problem_json(whole):
    for (_, address), operation in operations(whole).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and address not in PLAIN:
                assert list(answer["content"]) == ["application/problem+json"]


def test_what_needs_a_token_says_so_and_can_answer_401(whole):
    for (_, address), operation in operations(whole).items():
        public = {} in operation.get("security", [{}])
        if not public:
            assert operation["security"] == [{"bearer": []}], address
            assert "401" in operation["responses"], address
    assert whole["components"]["securitySchemes"]["bearer"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }


def test_what_wants_a_key_says_so(whole):
    wanting = {
        address
        for (_, address), operation in operations(whole).items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }

    assert "/api/orders" in wanting
    assert "/api/inventory/products/{sku}/restock" in wanting
    assert all("422" in whole["paths"][address]["post"]["responses"] for address in wanting)


def test_bodies_refuse_what_is_not_in_them(whole):
    for name, schema in whole["components"]["schemas"].items():
        if name.endswith("Request") and name != "MoneyRequest":
            assert schema["additionalProperties"] is False, name


def test_no_docstring_of_ours_is_in_it(whole):
    assert "unknown_field``" not in json.dumps(whole)


def test_nothing_secret_is_in_any_answer(whole):
    written = {
        field
        for name, schema in whole["components"]["schemas"].items()
        if not name.endswith("Request")
        for field in schema.get("properties", {})
    }

    assert not written & {"password", "hash", "digest", "fingerprint", "isStaff", "cost"}


# --- The documentation ----------------------------------------------------------------------------------------------


def test_the_documentation_asks_nobody_else_for_anything():
    client = Client()
    page = client.get("/api/docs")
    text = page.content.decode()

    linked = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert page.status_code == 200
    assert len(linked) >= 4
    assert all(address.startswith("/") and not address.startswith("//") for address in linked)
    for address in linked:
        assert client.get(address.replace("&amp;", "&")).status_code == 200, address
    assert '"/api/schema"' in client.get("/api/docs?script=").content.decode()


def test_the_documentation_is_the_same_whenever_it_is_asked_for():
    for address in ("/api/docs", "/api/docs?script="):
        assert Client().get(address).content == Client().get(address).content


def test_the_documentations_policy_lets_it_run_and_nothing_else():
    policy = Client().get("/api/docs")["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert "<script>" not in Client().get("/api/docs").content.decode()


def test_there_is_no_address_without_a_view_of_ours():
    assert get_resolver().url_patterns
    assert all(issubclass(view, View) for view in addresses().values())
