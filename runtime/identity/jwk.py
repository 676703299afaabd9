"""RSA public keys as JSON: RFC 7517 and 7518, and their names by RFC 7638."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

__all__ = ["SMALLEST_KEY", "BadKeySet", "keys_in", "published", "thumbprint"]

SMALLEST_KEY = 2048
"""Bits; RFC 7518, 3.3."""
_LARGEST_KEY = 8192
_MOST_KEYS = 32
_LONGEST_KID = 200


class BadKeySet(ValueError):
    """This is no set of keys, or it has none that a token of ours could be signed with."""


def thumbprint(key: RSAPublicKey) -> str:
    """RFC 7638, 3: SHA-256 over the required members in order of name, without white space."""
    canonical = json.dumps(_members(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def published(by_kid: Mapping[str, RSAPublicKey]) -> dict[str, Any]:
    """RFC 7517, 5: what the world may know."""
    return {"keys": [{**_members(key), "kid": kid, "use": "sig", "alg": "RS256"} for kid, key in by_kid.items()]}


def keys_in(document: Any) -> dict[str, RSAPublicKey]:
    """
    The keys of a set that RS256 can be checked with, by their kid. Others may stand beside them and are passed over.

    Raises BadKeySet where there is none.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise BadKeySet(f"a key set is an object with a list of at most {_MOST_KEYS} keys")
    found = {entry["kid"]: key for entry in entries if (key := _key(entry)) is not None}
    if not found:
        raise BadKeySet(f"none of the {len(entries)} keys is an RSA key for RS256 of at least {SMALLEST_KEY} bits")
    return found


def _key(entry: Any) -> RSAPublicKey | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA" or "d" in entry:
        return None
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID:
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return None
    try:
        key = RSAPublicNumbers(_number(entry.get("e")), _number(entry.get("n"))).public_key()
    except (ValueError, TypeError, OverflowError):
        return None
    return key if SMALLEST_KEY <= key.key_size <= _LARGEST_KEY else None


def _members(key: RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}


def _unsigned(number: int) -> str:
    """RFC 7518, 2: Base64urlUInt."""
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _number(text: Any) -> int:
    """Raises ValueError or TypeError."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if not 0 < len(data) <= _LARGEST_KEY // 8:
        raise ValueError("too long, or nothing")
    return int.from_bytes(data, "big")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
