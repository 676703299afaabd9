"""
The keys that tokens are signed and checked with: RSA, named by their RFC 7638 thumbprint.

Who holds the signing key checks with that; the others with what the signing service publishes (JWKS_URL).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from runtime.identity.jwk import SMALLEST_KEY, published, thumbprint
from runtime.identity.published_keys import PublishedKeys

__all__ = [
    "BadSigningKey",
    "SigningKey",
    "VerifyingKeys",
    "may_verify",
    "signing_key",
    "thumbprint",
    "verifying_key",
    "verifying_keys",
]


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
        return published(self.by_kid)


def signing_key() -> SigningKey | None:
    """The key that this process may sign with; None where it may not."""
    return _load(settings.JWT_SIGNING_KEY) if settings.JWT_SIGNING_KEY else None


def verifying_keys(*, wait: bool = False) -> VerifyingKeys:
    """
    The keys that a token may be signed with. None at all means that every token is refused.

    With ``wait`` those that are published elsewhere are asked for now, where none is known yet.
    """
    own, others = signing_key(), _published()
    found = dict(others.fetched() if wait and own is None else others.known()) if others else {}
    return VerifyingKeys(by_kid={**found, own.kid: own.private.public_key()} if own else found)


def verifying_key(kid: str) -> RSAPublicKey | None:
    """The key of this name; one that is published elsewhere may be fetched for it, from the one address we know."""
    own, others = signing_key(), _published()
    if own and own.kid == kid:
        return own.private.public_key()
    return others.find(kid) if others else None


def may_verify() -> bool:
    """Whether there is any way to a key. Raises BadSigningKey."""
    return signing_key() is not None or bool(settings.JWKS_URL)


def _published() -> PublishedKeys | None:
    return _published_at(settings.JWKS_URL, settings.JWKS_KEPT_IN) if settings.JWKS_URL else None


@cache
def _published_at(url: str, kept_in: Path) -> PublishedKeys:
    return PublishedKeys(url, kept_in=kept_in)


@cache
def _load(pem: str) -> SigningKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadSigningKey("JWT_SIGNING_KEY is not a private key in PEM without a password") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY:
        raise BadSigningKey(f"JWT_SIGNING_KEY is not an RSA key of at least {SMALLEST_KEY} bits")
    return SigningKey(kid=thumbprint(key.public_key()), private=key)
