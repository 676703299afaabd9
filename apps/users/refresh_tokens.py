"""Refresh tokens: each is used once, and one that is used again ends the whole sign-in it came from."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.users.models import RefreshFamily, RefreshToken, User
from runtime.databases.clock import Now

ALIAS = "users"

LIFETIME = timedelta(days=14)
REUSE_GRACE = timedelta(seconds=10)
"""A second use within this time is a client that asked twice at once, and not a thief: it is refused, no more."""

_PRUNED_AT_ONCE = 1000


def digest_of(token: str) -> str:
    """Tokens are 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin_family(user: User, *, first: str) -> None:
    """A new sign-in, with its first token."""
    keep(first, RefreshFamily.objects.using(ALIAS).create(user=user))


def keep(token: str, family: RefreshFamily) -> None:
    RefreshToken.objects.using(ALIAS).create(digest=digest_of(token), family=family, expires_at=Now() + LIFETIME)


def use(token: str, *, successor: str) -> RefreshFamily | None:
    """
    The family of a token that is used now for the first time; None where it may not be used. A second use after
    REUSE_GRACE revokes the family.
    """
    digest, tokens = digest_of(token), RefreshToken.objects.using(ALIAS)
    # The family first, here as where an account is erased: who comes second waits, and finds it changed or gone.
    families = RefreshFamily.objects.using(ALIAS).select_related("user").select_for_update(of=("self",))
    family = families.filter(refreshtoken__digest=digest).first()
    if family is None:
        return None
    unused = tokens.filter(digest=digest, used_at=None, expires_at__gt=Now())
    if not unused.update(used_at=Now(), successor=digest_of(successor)):
        if tokens.filter(digest=digest, used_at__lt=Now() - REUSE_GRACE).exists():
            revoke_family_of(token)
        return None
    return family if family.revoked_at is None and family.user.active else None


def revoke_family_of(token: str) -> None:
    families = RefreshFamily.objects.using(ALIAS).filter(refreshtoken__digest=digest_of(token))
    families.filter(revoked_at=None).update(revoked_at=Now())


def revoke_all_of(user_id: UUID) -> None:
    """Whoever is signed in to this account is signed out."""
    RefreshFamily.objects.using(ALIAS).filter(user_id=user_id, revoked_at=None).update(revoked_at=Now())


def forget_all_of(user_id: UUID) -> None:
    """No sign-in of this account leaves a trace."""
    families = RefreshFamily.objects.using(ALIAS).filter(user_id=user_id)
    list(families.select_for_update().order_by("pk").values_list("pk"))
    families.delete()


def prune() -> bool:
    """Forget tokens that ended a day ago, and families without any. Whether there may be more."""
    old = RefreshToken.objects.using(ALIAS).filter(expires_at__lt=Now() - timedelta(days=1))
    digests = list(old.order_by("expires_at").values_list("digest", flat=True)[:_PRUNED_AT_ONCE])
    with transaction.atomic(using=ALIAS):
        RefreshToken.objects.using(ALIAS).filter(digest__in=digests).delete()
        empty = RefreshFamily.objects.using(ALIAS).filter(refreshtoken=None)
        empty.filter(created_at__lt=Now() - LIFETIME).delete()
    return len(digests) == _PRUNED_AT_ONCE
