"""Access tokens that no gateway and no process may take for good."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime.identity import service_tokens
from runtime.identity.keys import signing_key, thumbprint

__all__ = ["FORGERIES", "claims", "signed"]


def claims(*, exp: int = 600, iat: int = 0, without: str = "", **changes: Any) -> dict[str, Any]:
    """What a good token of a customer says. ``exp`` and ``iat`` are seconds from now."""
    now = int(time.time())
    said = {
        "token_type": "access",
        "exp": now + exp,
        "iat": now + iat,
        "jti": uuid4().hex,
        "sub": str(uuid4()),
        "roles": ["customer"],
        "iss": "mitosis",
        "aud": "mitosis-api",
    }
    return {name: value for name, value in (said | changes).items() if name != without}


def signed(
    payload: dict[str, Any], *, key: RSAPrivateKey | None = None, algorithm: str = "RS256", **header: Any
) -> str:
    """By the key of this process, named as it is, unless something else is said."""
    private = key or signing_key().private  # type: ignore[union-attr]  # the tests have one
    return jwt.encode(
        payload, private, algorithm=algorithm, headers={"kid": thumbprint(private.public_key()), **header}
    )


def _by_hand(header: dict[str, Any], payload: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(payload).encode())}"
    return f"{text}.{part(sign(text.encode()))}"


def _with_public_key(key: RSAPrivateKey) -> str:
    """HS256, the secret being what everybody may know."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": thumbprint(key.public_key())}
    return _by_hand(header, claims(), lambda text: hmac.new(pem, text, hashlib.sha256).digest())


def _unsigned(name: str, key: RSAPrivateKey) -> str:
    return _by_hand({"alg": name, "typ": "JWT", "kid": thumbprint(key.public_key())}, claims(), lambda _: b"")


def _misnamed(key: RSAPrivateKey) -> str:
    """A good signature, called something else."""
    header = {"alg": "RS512", "typ": "JWT", "kid": thumbprint(key.public_key())}
    return _by_hand(header, claims(), lambda text: key.sign(text, PKCS1v15(), SHA256()))


def _altered(key: RSAPrivateKey) -> str:
    """Somebody else's subject under a good signature."""
    head, _, signature = signed(claims(), key=key).split(".")
    _, body, _ = signed(claims(), key=key).split(".")
    return f"{head}.{body}.{signature}"


def _strange_key(key: RSAPrivateKey, **header: Any) -> str:
    return signed(claims(), key=generate_private_key(65537, 2048), **header)


def _service(key: RSAPrivateKey) -> str:
    return service_tokens.issue(audience="users")


type _Forge = Callable[[RSAPrivateKey], str]

_TOKENS: dict[str, _Forge] = {
    "expired": lambda key: signed(claims(exp=-60, iat=-960), key=key),
    "of tomorrow": lambda key: signed(claims(iat=3600, exp=7200), key=key),
    "altered": _altered,
    "cut": lambda key: signed(claims(), key=key)[:-4],
    "without a signature": lambda key: signed(claims(), key=key).rpartition(".")[0] + ".",
    "alg none": lambda key: _unsigned("none", key),
    "alg None": lambda key: _unsigned("None", key),
    "alg RS256 unsigned": lambda key: _unsigned("RS256", key),
    "HS256 with the public key": _with_public_key,
    "RS512 by our key": lambda key: signed(claims(), key=key, algorithm="RS512"),
    "RS256 called RS512": _misnamed,
    "PS256 by our key": lambda key: signed(claims(), key=key, algorithm="PS256"),
    "a strange key by its own name": _strange_key,
    "a strange key by our name": lambda key: _strange_key(key, kid=thumbprint(key.public_key())),
    "a kid that is a path": lambda key: signed(claims(), key=key, kid="../keys/" + thumbprint(key.public_key())),
    "a kid that is a number": lambda key: signed(claims(), key=key, kid="1"),
    "without a kid": lambda key: jwt.encode(claims(), key, algorithm="RS256"),
    "a jku": lambda key: _strange_key(key, jku="http://127.0.0.1:1/jwks.json"),
    "a refresh token": lambda key: signed(claims(token_type="refresh"), key=key),
    "of no kind": lambda key: signed(claims(without="token_type"), key=key),
    "a service's": _service,
    "from elsewhere": lambda key: signed(claims(iss="elsewhere"), key=key),
    "for somebody else": lambda key: signed(claims(aud="another-api"), key=key),
    "for us among others": lambda key: signed(claims(aud=["mitosis-api", "another-api"]), key=key),
    "for us in a list": lambda key: signed(claims(aud=["mitosis-api"]), key=key),
    "of nobody": lambda key: signed(claims(without="sub"), key=key),
    "of no user": lambda key: signed(claims(sub="orders"), key=key),
    **{
        f"without {name}": lambda key, name=name: signed(claims(without=name), key=key)  # type: ignore[misc]
        for name in ("exp", "iat", "jti", "iss", "aud")
    },
}

FORGERIES: dict[str, _Forge] = {
    **{name: lambda key, forge=forge: f"Bearer {forge(key)}" for name, forge in _TOKENS.items()},  # type: ignore[misc]
    "no token": lambda key: "Bearer",
    "no JWT": lambda key: "Bearer abc",
    "half of one": lambda key: "Bearer a.b",
    "another scheme": lambda key: "Basic YTpi",
    "a good token without a scheme": lambda key: signed(claims(), key=key),
    "a good token and more": lambda key: f"Bearer {signed(claims(), key=key)} more",
    "a good token, a comma and more": lambda key: f"Bearer {signed(claims(), key=key)}, Basic YTpi",
}
"""The Authorization header of each, made with the private key that good tokens are signed with."""
