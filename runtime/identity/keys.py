"""The keys that tokens are signed and checked with: RSA, named by their RFC 7638 thumbprint."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

__all__ = ["BadSigningKey", "SigningKey", "VerifyingKeys", "signing_key", "verifying_keys"]

_SMALLEST_KEY = 2048
"""Bits; RFC 7518, 3.3."""


class BadSigningKey(ValueError):
    """JWT_SIGNING_KEY is an RSA private key of at least 2048 bits, in PEM, without a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    kid: str
    private: RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKeys:
    """Public keys by their kid. A kid is only ever looked up here: it never names a file, a row or an address."""

    by_kid: Mapping[str, RSAPublicKey]

    def jwks(self) -> dict[str, Any]:
        """RFC 7517, 5: what the world may know."""
        return {
            "keys": [{**_members(key), "kid": kid, "use": "sig", "alg": "RS256"} for kid, key in self.by_kid.items()]
        }


def signing_key() -> SigningKey | None:
    """The key that this process may sign with; None where it may not."""
    return _load(settings.JWT_SIGNING_KEY) if settings.JWT_SIGNING_KEY else None


def verifying_keys() -> VerifyingKeys:
    """The keys that a token may be signed with. None at all means that every token is refused."""
    own = signing_key()
    return VerifyingKeys(by_kid={own.kid: own.private.public_key()} if own else {})


@cache
def _load(pem: str) -> SigningKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadSigningKey("JWT_SIGNING_KEY is not a private key in PEM without a password") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_KEY:
        raise BadSigningKey(f"JWT_SIGNING_KEY is not an RSA key of at least {_SMALLEST_KEY} bits")
    return SigningKey(kid=thumbprint(key.public_key()), private=key)


def thumbprint(key: RSAPublicKey) -> str:
    """RFC 7638, 3: SHA-256 over the required members in order of name, without white space."""
    canonical = json.dumps(_members(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _members(key: RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}


def _unsigned(number: int) -> str:
    """RFC 7518, 2: Base64urlUInt."""
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
