"""A client cannot tell whether a gateway stands in front: the same requests, with it and without it, to a real shop."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from config.environment import DOMAINS
from config.gateway import describe
from runtime.embedded.launch import free_port
from runtime.gateway.site import Group, Server
from runtime.identity.keys import thumbprint
from tests.runtime.gateway.doors import Answer, Door, send
from tests.runtime.gateway.forgeries import FORGERIES
from tests.shop import OPERATOR, PASSWORD, Shop

pytestmark = pytest.mark.xdist_group("shop")

type Both = Callable[..., tuple[Answer, Answer]]


@pytest.fixture(scope="module")
def private(shop: Shop) -> RSAPrivateKey:
    """The key that the shop signs its tokens with."""
    pem = json.loads((shop.folder / "secrets.json").read_text())["JWT_SIGNING_KEY"]
    found = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(found, RSAPrivateKey)
    return found


@pytest.fixture(scope="module")
def shop_port(shop: Shop) -> int:
    return urlsplit(shop.run["http"]).port or 0


@pytest.fixture(scope="module")
def front(folder, shop_port, private, started) -> Door:
    """The shop's own gateway, as manage.py describes it."""
    group = Group(domains=DOMAINS, servers=(Server(host="127.0.0.1", port=shop_port),))
    site = describe(bind=f"127.0.0.1:{free_port()}", groups=[group], folder=folder / "front")
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    found: Door = started(Door, replace(site, keys={thumbprint(public): pem}))
    return found


@pytest.fixture
def both(front: Door, shop_port: int) -> Both:
    """The answer of the shop itself, and the one through the gateway."""

    def ask(method: str, path: str, headers: Any = (), *, body: bytes | None = None) -> tuple[Answer, Answer]:
        return send(shop_port, method, path, headers, body=body), front.send(method, path, headers, body=body)

    return ask


def told(answer: Answer) -> tuple[int, Any, str | None]:
    """What a program goes by."""
    is_json = "json" in (answer["Content-Type"] or "")
    return answer.status, answer.json if is_json else answer.data, answer["WWW-Authenticate"]


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_bad_token_gets_the_same_answer(both, private, forge):
    bad = [("Authorization", forge(private))]
    for method, path, body in (("GET", "/api/inventory/products", None), ("POST", "/api/orders", b"{}")):
        headers = [*bad, ("Idempotency-Key", str(uuid4())), ("Content-Type", "application/json")]
        alone, through = both(method, path, headers, body=body)
        assert told(alone) == told(through)
        assert (through.status, through.json["code"]) == (401, "invalid_token")


SPELLINGS = (
    "/internal/contracts/users/find",
    "//internal/contracts/users/find",
    "/INTERNAL/contracts/users/find",
    "/%69nternal/contracts/users/find",
    "/internal%2fcontracts%2fusers%2ffind",
    "/./internal/contracts/users/find",
    "/api/../internal/contracts/users/find",
    "/api/%2e%2e/internal/contracts/users/find",
    "/api/orders/..%2f..%2finternal/contracts/users/find",
    "/api/orders/%252e%252e/%252e%252e/internal/contracts",
    "/api/orders/..;/internal/contracts/users/find",
    "/api/orders/..%5c..%5cinternal/contracts",
    "/api/orders/;/../../internal/contracts",
    "/internal%00/contracts/users/find",
    "/metrics",
    "/%6d%65trics",
    "/api/orders/../../metrics",
)


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_inside_gets_the_same_answer_in_any_spelling(both, method, path):
    alone, through = both(method, path, [("Content-Type", "application/json")], body=b"{}")

    assert (alone.status, alone.json["code"]) == (through.status, through.json["code"])
    assert through.status in (400, 404)


@pytest.mark.parametrize("name", ["X-User-Id", "X_User_Id", "x-user-id", "X-User-Roles", "Call-User", "Forwarded"])
def test_a_header_makes_nobody_somebody(both, shop, name):
    somebody = shop.send("GET", "/api/users/me", token=shop.operator).body["id"]
    alone, through = both("GET", "/api/users/me", [(name, somebody)])

    assert told(alone) == told(through)
    assert (through.status, through.json["code"]) == (401, "not_authenticated")


def test_a_header_makes_nobody_somebody_else(both, shop):
    ada, operator = shop.customer(), shop.send("GET", "/api/users/me", token=shop.operator).body["id"]
    headers = [("Authorization", f"Bearer {ada}"), ("X-User-Id", operator), ("X_User_Id", operator)]
    alone, through = both("GET", "/api/users/me", headers)

    assert told(alone) == told(through)
    assert through.json["id"] != operator
    assert both("GET", "/api/users", headers)[1].status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/jwks.json",
        "/api/schema",
        "/api/docs",
        "/api/orders/schema",
        "/api/inventory/products?limit=1",
        "/api/users/verify-email",
        "/api/nothing",
        "/nothing",
        "/admin/login/",
        "/static/admin/css/base.css",
    ],
)
def test_every_kind_of_page_is_the_same_page(both, path):
    alone, through = both("GET", path)
    new_each_time = re.compile(rb'csrfmiddlewaretoken" value="[^"]+"|nonce="[^"]*"')

    assert alone.status == through.status
    assert new_each_time.sub(b"", alone.data) == new_each_time.sub(b"", through.data)
    for name in ("Content-Type", "Content-Security-Policy", "Cache-Control", "X-Frame-Options", "Referrer-Policy"):
        assert alone[name] == through[name], name


def test_an_order_is_placed_through_it(front, shop):
    sku, ada = shop.product(stock=2), shop.customer()
    body = json.dumps({"items": [{"sku": sku, "quantity": 1}], "paymentMethod": "pm_card_visa"}).encode()
    headers = [("Authorization", f"Bearer {ada}"), ("Idempotency-Key", str(uuid4()))]
    first = front.send("POST", "/api/orders", [*headers, ("Content-Type", "application/json")], body=body)
    again = front.send("POST", "/api/orders", [*headers, ("Content-Type", "application/json")], body=body)

    assert (first.status, first.json["status"]) == (201, "confirmed")
    assert (again.status, again.json["id"]) == (201, first.json["id"])
    assert again["Idempotency-Replayed"] == "true"


def test_an_operator_signs_in_to_the_console_through_it(front, shop):
    host = ("Host", f"127.0.0.1:{front.port}")
    page = front.send("GET", "/admin/login/")
    form = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.data)
    assert form is not None
    crumb = str(page["Set-Cookie"]).partition(";")[0]
    fields = {"username": OPERATOR, "password": PASSWORD, "csrfmiddlewaretoken": form[1].decode(), "next": "/admin/"}
    sent = [("Cookie", crumb), ("Content-Type", "application/x-www-form-urlencoded")]
    signed = front.send(
        "POST", "/admin/login/", [*sent, ("Origin", f"http://{host[1]}")], body=urlencode(fields).encode()
    )
    cookies = [value.partition(";")[0] for value in signed.headers.get_all("Set-Cookie") or []]
    session = next(cookie for cookie in cookies if cookie.startswith("console="))

    assert signed.status == 302
    assert front.send("GET", "/admin/").status == 302
    assert front.send("GET", "/admin/", [("Cookie", "console=forged")]).status == 302
    for path in ("/admin/", "/admin/orders/order/", "/admin/inventory/"):
        assert front.send("GET", path, [("Cookie", session)]).status == 200, path
