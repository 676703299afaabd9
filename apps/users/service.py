"""What users does: one method is one use case and one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password, make_password
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.users.models import RefreshFamily, RefreshToken, User
from contracts import users as contract
from contracts._base import Rejected
from contracts.users import BadCredentials, SessionEnded, UserInactive, UserRegistered, UserUnknown, UserUpdated
from runtime.databases.clock import Now
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.keyset import slice as page_of
from runtime.databases.rows import insert_once
from runtime.identity.tokens import issue
from runtime.messaging import publish

ALIAS = "users"

REFRESH_LIFETIME = timedelta(days=14)
REUSE_GRACE = timedelta(seconds=10)
"""A second use within this time is a client that asked twice at once, and not a thief: it is refused, no more."""

CUSTOMER = "customer"
OPERATOR_ROLES = ("operator", "administrator")
ADMINISTRATOR = "administrator"


class EmailTaken(Rejected):
    """There is an account with this e-mail address already."""

    code: ClassVar[str] = "email_taken"


class BadRefreshToken(Rejected):
    """This refresh token is unknown, expired, used before or revoked."""

    code: ClassVar[str] = "invalid_refresh_token"


class LastAdministrator(Rejected):
    """Nobody would be left who can change roles."""

    code: ClassVar[str] = "last_administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the user and the shop's staff see it. Never leaves this domain but by HTTP."""

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    access: str
    refresh: str


class Users:
    """Implements contracts.users.UserService, and what accounts do themselves."""

    # --- For other domains ------------------------------------------------------------------------------------------

    def get(self, *, user_id: UUID) -> contract.User:
        return _as_contract(_find(user_id))

    def validate(self, *, user_id: UUID) -> contract.User:
        user = self.get(user_id=user_id)
        if not user.active:
            raise UserInactive
        return user

    def authenticate(self, *, email: str, password: str) -> contract.Session:
        user = _with_password(email, password)
        return contract.Session(user=_as_contract(user), version=_session_version(user))

    def session(self, *, user_id: UUID, version: str) -> contract.User:
        user = User.objects.using(ALIAS).filter(pk=user_id, active=True).first()
        if user is None or not constant_time_compare(version, _session_version(user)):
            raise SessionEnded
        return _as_contract(user)

    # --- Accounts ---------------------------------------------------------------------------------------------------

    def register(self, *, email: str, name: str, password: str) -> Account:
        """Raises EmailTaken. The password is expected to keep the rules (serializers.py)."""
        user = User(email=email.lower(), name=name, password=make_password(password), roles=[CUSTOMER])
        with transaction.atomic(using=ALIAS):
            if not insert_once(user, using=ALIAS):
                raise EmailTaken
            publish(UserRegistered(user_id=user.id), using=ALIAS)
        return self.account(user_id=user.id)

    def import_account(self, *, user_id: UUID, email: str, name: str) -> bool:
        """A customer known from elsewhere, with a password that opens nothing. Whether the account is new."""
        user = User(id=user_id, email=email.lower(), name=name, password=make_password(None), roles=[CUSTOMER])
        with transaction.atomic(using=ALIAS):
            is_new = insert_once(user, using=ALIAS)
            if is_new:
                publish(UserRegistered(user_id=user_id), using=ALIAS)
        return is_new

    def account(self, *, user_id: UUID) -> Account:
        """Raises UserUnknown."""
        return _as_account(_find(user_id))

    def accounts(self, *, page: PageRequest) -> Page[Account]:
        """Newest first."""
        rows = page_of(User.objects.using(ALIAS), field="created_at", descending=True, request=page)
        return rows.map(_as_account)

    def set_roles(self, *, user_id: UUID, roles: Sequence[str]) -> Account:
        """These roles and no others, in tokens issued from now on. Raises UserUnknown, LastAdministrator."""
        wanted = sorted(set(roles))
        with transaction.atomic(using=ALIAS):
            administrators = _lock_administrators()
            if ADMINISTRATOR not in wanted and administrators == [user_id]:
                raise LastAdministrator
            user = User.objects.using(ALIAS).select_for_update().filter(pk=user_id).first()
            if user is None:
                raise UserUnknown
            if sorted(user.roles) != wanted:
                user.roles = wanted
                user.save(using=ALIAS, update_fields=["roles"])
                publish(UserUpdated(user_id=user_id), using=ALIAS)
        return _as_account(user)

    def ensure_operator(self, *, email: str, password: str) -> Account:
        """An account with this password that may do everything; made where it is missing."""
        known = User.objects.by_email(email)
        if known is None:
            known_id = self.register(email=email, name="Operator", password=password).id
        else:
            known_id = known.id
            if not check_password(password, known.password):
                _set_password(known_id, make_password(password))
        return self.set_roles(user_id=known_id, roles=OPERATOR_ROLES)

    # --- Signing in -------------------------------------------------------------------------------------------------

    def sign_in(self, *, email: str, password: str) -> TokenPair:
        """Raises BadCredentials, after the same work whether or not there is such an account."""
        user = _with_password(email, password)
        refresh = secrets.token_urlsafe(32)
        with transaction.atomic(using=ALIAS):
            family = RefreshFamily.objects.using(ALIAS).create(user=user)
            _keep(refresh, family)
        return TokenPair(access=issue(user_id=user.id, roles=user.roles), refresh=refresh)

    def refresh(self, *, refresh: str) -> TokenPair:
        """
        A new pair for a refresh token, which is used up by that. Raises BadRefreshToken.

        A token that is used a second time revokes its whole family: one of the two who had it is a thief (RFC 9700,
        4.14.2). Within REUSE_GRACE it is only refused.
        """
        digest, successor = _digest(refresh), secrets.token_urlsafe(32)
        with transaction.atomic(using=ALIAS):
            family = _use(digest, successor=_digest(successor))
            if family is not None:
                _keep(successor, family)
        # Outside the transaction: a refusal must not undo what the reuse of a token has revoked.
        if family is None:
            raise BadRefreshToken
        return TokenPair(access=issue(user_id=family.user_id, roles=family.user.roles), refresh=successor)

    def revoke(self, *, refresh: str) -> None:
        """Sign out: the token's whole family ends. An unknown token is no error (RFC 7009, 2.2)."""
        _revoke_family_of(_digest(refresh))

    def prune_tokens(self) -> bool:
        """Forget tokens that ended a day ago, and families without any. Whether there may be more."""
        old = RefreshToken.objects.using(ALIAS).filter(expires_at__lt=Now() - timedelta(days=1))
        digests = list(old.order_by("expires_at").values_list("digest", flat=True)[:_PRUNED_AT_ONCE])
        with transaction.atomic(using=ALIAS):
            RefreshToken.objects.using(ALIAS).filter(digest__in=digests).delete()
            empty = RefreshFamily.objects.using(ALIAS).filter(refreshtoken=None)
            empty.filter(created_at__lt=Now() - REFRESH_LIFETIME).delete()
        return len(digests) == _PRUNED_AT_ONCE


_PRUNED_AT_ONCE = 1000


def _find(user_id: UUID) -> User:
    user = User.objects.using(ALIAS).filter(pk=user_id).first()
    if user is None:
        raise UserUnknown
    return user


def _with_password(email: str, password: str) -> User:
    """Raises BadCredentials."""
    user = User.objects.by_email(email)
    # Of an unusable password Django hashes one of its own making, so that the time taken tells nothing.
    good = check_password(password, user.password if user else UNUSABLE_PASSWORD_PREFIX)
    if user is None or not good or not user.active:
        raise BadCredentials
    return user


def _session_version(user: User) -> str:
    """Another one after a change of password or roles. Keyed, so that it tells nothing and nobody can make one up."""
    return salted_hmac("users.session", f"{user.password}|{','.join(sorted(user.roles))}", algorithm="sha256").hexdigest()


def _set_password(user_id: UUID, encoded: str) -> None:
    """Whoever was signed in with the old one is signed out: it may have been somebody else's."""
    with transaction.atomic(using=ALIAS):
        User.objects.using(ALIAS).filter(pk=user_id).update(password=encoded)
        RefreshFamily.objects.using(ALIAS).filter(user_id=user_id, revoked_at=None).update(revoked_at=Now())


def _as_contract(user: User) -> contract.User:
    return contract.User(id=user.id, active=user.active, roles=tuple(user.roles), created_at=user.created_at)


def _as_account(user: User) -> Account:
    return Account(id=user.id, email=user.email, name=user.name, roles=tuple(user.roles), created_at=user.created_at)


def _lock_administrators() -> list[UUID]:
    """In one order, so that two who remove each other wait and do not both succeed."""
    rows = User.objects.using(ALIAS).select_for_update().filter(roles__contains=[ADMINISTRATOR], active=True)
    return [user.id for user in rows.order_by("pk")]


# --- Refresh tokens -------------------------------------------------------------------------------------------------


def _digest(token: str) -> str:
    """Tokens are 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()


def _keep(token: str, family: RefreshFamily) -> None:
    RefreshToken.objects.using(ALIAS).create(digest=_digest(token), family=family, expires_at=Now() + REFRESH_LIFETIME)


def _use(digest: str, *, successor: str) -> RefreshFamily | None:
    """The family of a token that is used now for the first time; None where it may not be used."""
    tokens = RefreshToken.objects.using(ALIAS)
    # Only the token's own columns decide who comes first: a concurrent use waits for the row and then finds it used.
    won = tokens.filter(digest=digest, used_at=None, expires_at__gt=Now()).update(used_at=Now(), successor=successor)
    if not won:
        if tokens.filter(digest=digest, used_at__lt=Now() - REUSE_GRACE).exists():
            _revoke_family_of(digest)
        return None
    family = tokens.select_related("family__user").get(digest=digest).family
    return family if family.revoked_at is None and family.user.active else None


def _revoke_family_of(digest: str) -> None:
    RefreshFamily.objects.using(ALIAS).filter(refreshtoken__digest=digest, revoked_at=None).update(revoked_at=Now())


SERVICE = Users()
