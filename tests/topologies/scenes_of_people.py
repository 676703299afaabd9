"""Accounts, sign-in, tokens good and bad, and somebody who is forgotten."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from runtime.embedded.state import secrets
from tests.shop import PASSWORD
from tests.topologies.player import NOBODY, Player


def accounts(player: Player) -> None:
    ask = player.ask
    ada = player.register("ada").body
    player.register("ada")
    bob = player.register("bob").body
    player.sign_in("ada")
    player.sign_in("bob")
    ask("ada", "GET", "/api/users/me")
    ask("ada", "GET", f"/api/users/{ada['id']}")
    ask("ada", "GET", f"/api/users/{bob['id']}")
    ask("operator", "GET", f"/api/users/{bob['id']}")
    ask(NOBODY, "GET", "/api/users/me")
    ask("ada", "PATCH", f"/api/users/{ada['id']}", {"name": "Ada L."})
    ask("ada", "PATCH", f"/api/users/{ada['id']}", {"active": False})
    ask("ada", "PATCH", f"/api/users/{bob['id']}", {"name": "Nobody"})
    ask("ada", "PATCH", f"/api/users/{ada['id']}", {"password": "another password, long"})
    ask("ada", "GET", "/api/users")
    page = ask("operator", "GET", "/api/users?limit=2").body
    page = ask("operator", "GET", page["next"]).body
    ask("operator", "GET", page["previous"])
    ask("operator", "GET", "/api/users?cursor=nonsense")
    ask("operator", "GET", "/api/users/roles")
    ask("ada", "PUT", f"/api/users/{bob['id']}/roles", {"roles": ["administrator"]})
    ask("operator", "PUT", f"/api/users/{bob['id']}/roles", {"roles": ["customer", "duke"]})
    ask("operator", "PUT", f"/api/users/{bob['id']}/roles", {"roles": ["customer", "support"]})
    player.sign_in("bob")
    ask("bob", "GET", f"/api/users/{ada['id']}")


def bad_bodies(player: Player) -> None:
    for body in ({}, {"email": "no address", "name": "", "password": "123"}, {"email": "eve@x.example", "age": 5}, []):
        player.ask(NOBODY, "POST", "/api/users", body)
    for raw in (b"{", b'{"email": NaN}', b"[" * 5000, b'{"name": "\x00"}', b"\xff", b'{"a": 1, "a": 2}', b""):
        player.ask(NOBODY, "POST", "/api/users", raw=raw)
    player.ask(NOBODY, "POST", "/api/users", raw=b"email=eve", content_type="application/x-www-form-urlencoded")
    # What is left of a body that nobody reads ends the connection.
    player.ask(NOBODY, "POST", "/api/users", raw=b'"' + b"x" * (2 * 1024 * 1024) + b'"', connection="close")
    player.ask("operator", "PUT", "/api/users", {})
    player.ask("operator", "GET", "/api/users/not-a-uuid")


def sign_in(player: Player) -> None:
    ask, token = player.ask, "/api/users/token"
    player.register("cyd")
    email = player.email("cyd")
    ask(NOBODY, "POST", token, {"email": email, "password": "guess"})
    ask(NOBODY, "POST", token, {"email": "nobody@journeys.example", "password": PASSWORD})
    ask(NOBODY, "POST", token, {"email": email})
    pair = player.sign_in("cyd").body
    renewed = ask(NOBODY, "POST", f"{token}/refresh", {"refresh": pair["refresh"]}).body
    ask(NOBODY, "POST", f"{token}/refresh", {"refresh": pair["refresh"]})
    ask(NOBODY, "POST", f"{token}/refresh", {"refresh": "guess"})
    ask(player.bearing("cyd again", renewed["access"]), "GET", "/api/users/me")
    ask(NOBODY, "POST", f"{token}/revoke", {"refresh": renewed["refresh"]})
    ask(NOBODY, "POST", f"{token}/refresh", {"refresh": renewed["refresh"]})
    # An access token is good until it expires, also where it is sent along to the sign-in.
    ask("cyd", "GET", "/api/users/me")
    ask(player.bearing("cyd, expired", "nonsense"), "POST", token, {"email": email, "password": PASSWORD})


def bad_tokens(player: Player) -> None:
    """In each domain the same: a process that hosts no users has the keys from elsewhere."""
    forged = _forgeries(player)
    for path in ("/api/users/me", "/api/orders", "/api/payments", "/api/inventory/products?limit=1"):
        for name, token in forged.items():
            player.ask(player.bearing(name, token), "GET", path)
    ada = player.ask("ada", "GET", "/api/users/me").body["id"]
    for header in ("X_User_Id", "Call_User", "X_Forwarded_User"):
        player.ask(NOBODY, "GET", "/api/orders", **{header: ada})
    player.ask(NOBODY, "GET", "/api/orders", authorization="Basic YWRhOnBhc3N3b3Jk")


def _forgeries(player: Player) -> dict[str, str]:
    """A good token of ada's, and what is made of it without the key; one is signed with it, and old."""
    good = player.token_of("ada")
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    keys = secrets(player.shop.folder)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = good.split(".")
    old = {**claims, "iat": int(time.time()) - 2000, "exp": int(time.time()) - 1000}
    elsewhere = {**claims, "aud": "another-shop"}

    def signed(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, keys["JWT_SIGNING_KEY"], algorithm="RS256", headers={"kid": header["kid"]})

    return {
        "garbage": "abc.def.ghi",
        "a changed claim": f"{head}.{_packed({**claims, 'roles': ['administrator']})}.{signature}",
        "no algorithm": f"{_packed({**header, 'alg': 'none'})}.{body}.",
        "HS256 with the public key": _hs256(player, header, claims),
        "another key": jwt.encode(claims, other, algorithm="RS256", headers={"kid": header["kid"]}),
        "an unknown key": jwt.encode(claims, other, algorithm="RS256", headers={"kid": "nobody's"}),
        "expired": signed(old),
        "for somebody else": signed(elsewhere),
    }


def _hs256(player: Player, header: dict[str, Any], claims: dict[str, Any]) -> str:
    (key,) = player.ask(NOBODY, "GET", "/.well-known/jwks.json").body["keys"]
    public = RSAAlgorithm.from_jwk(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = f"{_packed({**header, 'alg': 'HS256'})}.{_packed(claims)}"
    made = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def _packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def closed(player: Player) -> None:
    """An account that an operator has closed buys nothing more, with a token that is still good."""
    dan = player.register("dan").body
    player.sign_in("dan")
    player.ask("operator", "PATCH", f"/api/users/{dan['id']}", {"active": False})
    refused = player.place("dan", ("TEA-SENCHA", 1), key="dan-1")
    player.ask("operator", "GET", f"/api/orders/{refused.body['orderId']}")
    player.ask(NOBODY, "POST", "/api/users/token", {"email": player.email("dan"), "password": PASSWORD})


def erased(player: Player) -> None:
    """The person is forgotten, in every domain; what was ordered and paid stays."""
    fay = player.register("fay").body
    player.sign_in("fay")
    order = player.place("fay", ("TEA-SENCHA", 2), key="fay-1", note="Ring at the blue door.").body
    payment = player.payment_of(order["id"])
    refund = {"amount": {"amount": "1.00", "currency": "GBP"}, "reason": "Fay called: one tin was dented"}
    player.ask("operator", "POST", f"/api/payments/{payment['id']}/refunds", refund, key="fay-refund")
    player.ask("ada", "DELETE", f"/api/users/{fay['id']}")
    player.ask("fay", "DELETE", f"/api/users/{fay['id']}")
    player.ask("fay", "DELETE", f"/api/users/{fay['id']}")
    player.ask("operator", "GET", f"/api/users/{fay['id']}")

    def forgotten(paid: Any) -> bool:
        return "dented" not in paid["refunds"][0]["reason"]

    player.until("operator", f"/api/payments/{payment['id']}", forgotten)
    player.ask("operator", "GET", f"/api/orders/{order['id']}")
    player.place("fay", ("TEA-SENCHA", 1), key="fay-2")
    player.ask(NOBODY, "POST", "/api/users/token", {"email": player.email("fay"), "password": PASSWORD})
    player.register("fay")
