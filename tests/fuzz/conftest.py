"""A shop with something in it, to be talked to by somebody who means no good, or means nothing at all."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import requests
from hypothesis.internal.conjecture import providers
from schemathesis.core.parameters import ParameterLocation

from tests.shop import PASSWORD, Shop, running

SPENT = {
    ("DELETE", "/api/users/{user_id}"): {"user_id": "expendable user"},
    ("PATCH", "/api/users/{user_id}"): {"user_id": "expendable user"},
    ("PATCH", "/api/inventory/products/{sku}"): {"sku": "expendable sku"},
    ("POST", "/api/orders/{order_id}/cancel"): {"order_id": "confirmed order"},
    ("POST", "/api/orders/{order_id}/ship"): {"order_id": "packed order"},
    ("POST", "/api/orders/{order_id}/deliver"): {"order_id": "shipped order"},
    ("POST", "/api/orders/{order_id}/return"): {"order_id": "delivered order"},
}
"""What is used up by being changed is not what the other cases need."""

STAFF, CUSTOMER, NOBODY = "operator", "customer", "nobody"


@dataclass(slots=True)
class Target:
    """The running shop, who is talking to it, and what is really there: ids that no generator would ever hit upon."""

    shop: Shop
    tokens: dict[str, str]
    real: dict[str, Sequence[Any]] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    reached: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return str(self.shop.run["http"])

    def headers(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}

    def make_it_matter(self, case: Any, *, wrong: Set[Any]) -> None:
        """
        Put what is really there into three cases out of four: else nearly all would end at the first look-up. What is
        wrong on purpose stays wrong. Which cases depends on the case alone, so that a failure is a failure again.
        """
        number = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
        if number % 4 == 0:
            return
        if ParameterLocation.PATH not in wrong:
            self._fill(case.path_parameters, number)
            for name, pool in SPENT.get((case.method, case.path), {}).items():
                case.path_parameters[name] = self._pick(pool, number)
        if ParameterLocation.BODY not in wrong:
            self._fill(case.body, number)
        if ParameterLocation.HEADER not in wrong and "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = f"fuzz-{number}"
        if ParameterLocation.QUERY not in wrong and case.query:
            # A cursor cannot be made up, and an order is asked for by version or by time.
            for name in ("cursor", "asOf" if number % 8 < 4 else "version"):
                case.query.pop(name, None)
            self._fill(case.query, number)

    def _pick(self, name: str, number: int) -> Any:
        found = self.real[name]
        return found[number // 4 % len(found)]

    def _fill(self, value: Any, number: int) -> None:
        if isinstance(value, list):
            for item in value:
                self._fill(item, number)
        if isinstance(value, dict):
            for name, item in value.items():
                # 1.0 is an integer to JSON Schema; to us it is not.
                kind = type(self.real[name][0]) if name in self.real else None
                if isinstance(item, str if kind is str else float | int) and kind and not isinstance(item, bool):
                    value[name] = self._pick(name, number)
                else:
                    self._fill(item, number)


@pytest.fixture(autouse=True)
def the_same_cases_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Hypothesis borrows constants from whatever modules of ours are loaded, so that its cases would depend on which tests
    ran before. (It offers no setting for that; the lock pins the version that has this name.)
    """
    nothing = providers.Constants()
    monkeypatch.setattr(providers, "_get_local_constants", lambda: nothing)


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """A shop of its own: failed sign-ins by the dozen would lock the others' customers out."""
    system = running()
    shop = next(system)
    try:
        yield _stocked(shop)
    finally:
        next(system, None)


def _stocked(shop: Shop) -> Target:
    """Products, customers, and an order in every state."""
    skus = [shop.product(stock=1000, price=price) for price in ("0.01", "9.99", "100.00")]
    token = shop.customer()
    me = shop.send("GET", "/api/users/me", token=token).body["id"]
    others = [_customer(shop) for _ in range(12)]
    orders = [shop.place(token, {skus[n % 3]: n + 1}).body["id"] for n in range(8)]
    declined = shop.place(token, {skus[0]: 1}, method="pm_card_declined").body["orderId"]
    for order in orders[:3]:
        body = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
        assert shop.send("POST", f"/api/orders/{order}/ship", body, token=shop.operator).status == 200
    assert shop.send("POST", f"/api/orders/{orders[0]}/deliver", token=shop.operator).status == 200
    assert shop.send("POST", f"/api/orders/{orders[3]}/cancel", {"reason": "no"}, token=token).status == 200
    payments = [shop.payments(order)[0]["id"] for order in orders]
    target = Target(shop, {STAFF: shop.operator, CUSTOMER: token})
    target.real = {
        "sku": skus,
        "order_id": [*orders, declined],
        "orderId": orders,
        "payment_id": payments,
        "user_id": [me, *others[:6]],
        "expendable user": others[6:],
        "delivered order": orders[:1],
        "shipped order": orders[1:3],
        "confirmed order": orders[3:6],
        "packed order": orders[6:8],
        "expendable sku": [shop.product(stock=1) for _ in range(2)],
        "onBehalfOf": others[:3],
        "provider": ["sandbox"],
        "paymentMethod": ["pm_card_visa", "pm_card_declined", "pm_card_async"],
        "currency": ["GBP"],
        "amount": ["0.01", "1.00", "2.50"],
        "quantity": [1, 2, 5],
        "version": [1, 2],
        "password": [PASSWORD],
        "currentPassword": [PASSWORD],
    }
    return target


def _customer(shop: Shop) -> str:
    body = {"email": f"{uuid4()}@fuzz.example", "name": "Somebody", "password": PASSWORD}
    return str(shop.send("POST", "/api/users", body).body["id"])
