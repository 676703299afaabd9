"""Each contract is kept alike in this process, its values copied, and over HTTP by a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contracts.inventory import INVENTORY
from contracts.orders import ORDERS
from contracts.payments import PAYMENTS
from contracts.users import USERS
from runtime.calls import resolve
from runtime.calls.guards import forget
from runtime.calls.local import LocalClient
from runtime.calls.remote import RemoteClient
from runtime.calls.routing import _client, protocol_of
from runtime.calls.signatures import methods_of
from runtime.telemetry.tracing import continue_or_start, working_on
from tests.contracts import suites
from tests.contracts.asked import Asked
from tests.emptying import empty_databases
from tests.runtime.calls.processes import Process

pytestmark = pytest.mark.xdist_group("contracts over the wire")

CONTRACTS = {
    "users": (USERS, suites.users, suites.USERS),
    "inventory": (INVENTORY, suites.inventory, suites.INVENTORY),
    "payments": (PAYMENTS, suites.payments, suites.PAYMENTS),
    "orders": (ORDERS, suites.orders, suites.ORDERS),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """gunicorn, with all four domains on the databases of these tests."""
    process = Process(
        tmp_path_factory.mktemp("host"), DJANGO_SETTINGS_MODULE="tests.contracts.host_settings", PROVIDER_TIMEOUT="1s"
    )
    yield process
    process.kill()


@pytest.fixture
def ways(settings, host: Process) -> Iterator[dict[str, Callable[[Any], Any]]]:
    """``resolve`` as whoever hosts the domain has it, and as whoever hosts the other three."""
    hosted = settings.HOSTED_DOMAINS
    settings.PROVIDER_TIMEOUT = 1.0

    def here(ref: Any) -> Any:
        settings.HOSTED_DOMAINS, settings.SERVICE_URLS = hosted, {}
        _client.cache_clear()
        return resolve(ref)

    def elsewhere(ref: Any) -> Any:
        settings.HOSTED_DOMAINS = tuple(domain for domain in hosted if domain != ref.domain)
        settings.SERVICE_URLS = {ref.domain: f"http://127.0.0.1:{host.port}"}
        _client.cache_clear()
        forget()
        return resolve(ref)

    here(USERS)
    yield {"here": here, "elsewhere": elsewhere}
    _client.cache_clear()
    forget()


@pytest.mark.parametrize("domain", CONTRACTS)
def test_a_contract_is_kept_alike_here_and_over_the_wire(domain, ways, committed, account):
    ref, prepare, outcomes = CONTRACTS[domain]
    kinds = {"here": LocalClient, "elsewhere": RemoteClient}
    asked = {}
    for way, resolved in ways.items():
        empty_databases()
        ways["here"](ref)
        suite = prepare(suites.Trade(account("customer")[0]))
        client = resolved(ref)
        assert type(client) is kinds[way]
        asked[way] = Asked(client)
        # As every caller has one; without, each request over the wire begins one of its own.
        with working_on(trace=continue_or_start(None), request_id="suite"):
            suite(asked[way])

    assert asked["here"].outcomes == outcomes
    assert asked["elsewhere"].told == asked["here"].told
    assert asked["here"].methods == {method.name for method in methods_of(protocol_of(ref))}
