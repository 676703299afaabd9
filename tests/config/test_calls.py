"""Who may ask whom for what, compared with what the code asks; and how each is asked, with what there is to ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from config.calls import CALLERS, call_policies
from config.environment import DOMAINS
from runtime.calls.routing import protocol_of
from runtime.calls.signatures import methods_of

ROOT = Path(__file__).resolve().parents[2]
EVERY = frozenset(DOMAINS)
REFS = {domain.upper(): domain for domain in DOMAINS}


def callees(argument: ast.expr, function: ast.AST) -> frozenset[str]:
    """The domains that ``resolve(argument)`` may ask, by the name of the reference or of the setting it comes from."""
    if isinstance(argument, ast.Name) and argument.id in REFS:
        return frozenset({REFS[argument.id]})
    names = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    if "CONSOLE_IDENTITY" in names:
        return frozenset({import_string(settings.CONSOLE_IDENTITY).domain})
    assert "CONTRACTS" in names, f"line {argument.lineno}: nobody can tell whom this resolves"
    return EVERY


def is_resolve(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "resolve"


def calls_in(source: str) -> Iterator[tuple[str, str]]:
    """Callee and method of each call. ``resolve(X)`` is asked at once, or returned by a function that is."""
    tree = ast.parse(source)
    resolved = {id(node) for node in ast.walk(tree) if is_resolve(node)}
    givers: dict[str, frozenset[str]] = {}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for answer in (node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value):
            for node in ast.walk(answer):
                if isinstance(node, ast.Call) and is_resolve(node) and _is_given(node, answer):
                    givers[function.name] = callees(node.args[0], function)
                    resolved.discard(id(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
            asked = node.value
            if is_resolve(asked):
                resolved.discard(id(asked))
                yield from ((callee, node.attr) for callee in callees(asked.args[0], tree))
            elif isinstance(asked.func, ast.Name) and asked.func.id in givers:
                yield from ((callee, node.attr) for callee in givers[asked.func.id])
    assert not resolved, "what is resolved is kept in a way that this test cannot follow"


def _is_given(node: ast.Call, answer: ast.Return) -> bool:
    """The resolved service itself is returned, and not what one of its methods answered."""
    return not any(isinstance(one, ast.Attribute) and one.value is node for one in ast.walk(answer))


def real_calls() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for path in (path for floor in ("apps", "runtime", "config") for path in (ROOT / floor).rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        # A domain's own code runs where the domain is hosted; runtime and the commands run anywhere.
        callers = frozenset({parts[1]}) if parts[0] == "apps" else EVERY
        if path != ROOT / "runtime/calls/routing.py":
            for callee, method in calls_in(path.read_text()):
                its = found.setdefault(callee, {})
                its[method] = its.get(method, frozenset()) | callers
    return found


def test_the_allowlist_is_what_the_code_asks_and_nothing_more():
    assert {callee: dict(methods) for callee, methods in CALLERS.items()} == real_calls()


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("resolve(PAYMENTS).void(key=1)", {("payments", "void")}),
        ("walk(resolve(ORDERS).audit)", {("orders", "audit")}),
        ("def f():\n    return g(resolve(ORDERS).get(a=1))", {("orders", "get")}),
        (
            "def there(d):\n    r = settings.CONTRACTS[d]\n    return resolve(r)\nthere(1).x()",
            {(d, "x") for d in DOMAINS},
        ),
    ],
)
def test_calls_are_read_out_of_the_code(source, calls):
    assert set(calls_in(source)) == calls


def test_a_service_that_is_kept_where_nobody_can_follow_it_is_refused():
    with pytest.raises(AssertionError, match="cannot follow"):
        list(calls_in("mine = resolve(PAYMENTS)\nmine.void(key=1)"))


# --- Policies -------------------------------------------------------------------------------------------------------


POLICIES = call_policies(places=4, provider_seconds=10.0)
METHODS = [
    (domain, method)
    for domain in DOMAINS
    for method in methods_of(protocol_of(import_string(settings.CONTRACTS[domain])))
]


@pytest.mark.parametrize(("domain", "method"), METHODS, ids=lambda value: getattr(value, "name", value))
def test_each_method_either_carries_a_key_or_is_declared_a_read_and_never_both(domain, method):
    """A write without a key could neither be tried again nor be told from a read."""
    assert POLICIES[domain].of(method.name).reads is not method.is_keyed


def test_every_domain_has_a_policy_and_none_names_a_method_that_its_contract_does_not_have():
    assert set(POLICIES) == set(DOMAINS) == set(CALLERS)
    for domain in DOMAINS:
        known = {method.name for of, method in METHODS if of == domain}
        assert set(POLICIES[domain].methods) <= known
        assert set(CALLERS[domain]) <= known


def test_payments_is_given_longer_than_it_waits_for_its_provider():
    for seconds in (1.0, 10.0, 30.0):
        policy = call_policies(places=1, provider_seconds=seconds)["payments"]
        assert all(policy.of(name).seconds > seconds for name in ("charge", "capture", "inquire", "refund", "void"))


def test_half_of_the_web_threads_may_wait_for_one_neighbour():
    assert {policy.places for policy in settings.CALL_POLICIES.values()} == {4}
