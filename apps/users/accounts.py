"""Accounts as rows: found, locked, changed and erased, always inside a transaction that the service has opened."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password, make_password
from django.db import connections
from django.utils.crypto import salted_hmac

from apps.users import mail, refresh_tokens
from apps.users.models import Mail, MailToken, User
from contracts import users as contract
from contracts._base import Rejected
from contracts.users import BadCredentials, UserRegistered, UserUnknown, permissions_of
from runtime.databases.clock import Now
from runtime.databases.rows import insert_once
from runtime.messaging import publish

ALIAS = "users"

ADMINISTRATOR = "administrator"


class WrongPassword(Rejected):
    """The current password is wrong."""

    code: ClassVar[str] = "wrong_password"


class BadRefreshToken(Rejected):
    """This refresh token is unknown, expired, used before or revoked."""

    code: ClassVar[str] = "invalid_refresh_token"


class BadMailToken(Rejected):
    """This token is unknown, expired or used before. Ask for another letter."""

    code: ClassVar[str] = "invalid_mail_token"


class EmailVerifiedAlready(Rejected):
    """The e-mail address of this account is confirmed already."""

    code: ClassVar[str] = "email_verified_already"


class EmailTaken(Rejected):
    """There is an account with this e-mail address already."""

    code: ClassVar[str] = "email_taken"


class LastAdministrator(Rejected):
    """Nobody would be left who can change roles."""

    code: ClassVar[str] = "last_administrator"


class MoreThanYours(Rejected):
    """This account may do more than you, so you may not change it."""

    code: ClassVar[str] = "permission_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the user and the shop's staff see it. Never leaves this domain but by HTTP."""

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    active: bool
    email_verified: bool
    created_at: datetime


def as_account(user: User) -> Account:
    return Account(
        id=user.id,
        email=user.email,
        name=user.name,
        roles=tuple(user.roles),
        active=user.active,
        email_verified=user.email_verified_at is not None,
        created_at=user.created_at,
    )


def as_contract(user: User) -> contract.User:
    return contract.User(id=user.id, active=user.active, roles=tuple(user.roles), created_at=user.created_at)


def session_version(user: User) -> str:
    """Another one after a change of password or roles. Keyed, so that it tells nothing and nobody can make one up."""
    return salted_hmac(
        "users.session", f"{user.password}|{','.join(sorted(user.roles))}", algorithm="sha256"
    ).hexdigest()


def with_password(email: str, password: str) -> User:
    """Raises BadCredentials, after the same work whether or not there is such an account."""
    user = User.objects.by_email(email)
    # Of an unusable password Django hashes one of its own making, so that the time taken tells nothing.
    good = check_password(password, user.password if user else UNUSABLE_PASSWORD_PREFIX)
    if user is None or not good or not user.active:
        raise BadCredentials
    return user


def find(user_id: UUID) -> User:
    """Raises UserUnknown, also for an account that was erased."""
    return _there(User.objects.using(ALIAS).filter(pk=user_id, erased_at=None).first())


def open_account(user: User) -> bool:
    """A new account, told to everybody. False where its address, or its id, is taken."""
    lock_email(user.email)
    is_new = insert_once(user, using=ALIAS)
    if is_new:
        publish(UserRegistered(user_id=user.id), using=ALIAS)
    return is_new


# --- Locks, always taken in this order ------------------------------------------------------------------------------


def lock_email(email: str) -> None:
    """
    Whoever wants this address waits for whoever is just taking it. The index would refuse the second one too, but
    then PostgreSQL writes the address into its log.
    """
    number = int.from_bytes(hashlib.sha256(f"users.email {email}".encode()).digest()[:8], signed=True)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def lock_administrators() -> list[UUID]:
    """In one order, so that two who remove each other wait and do not both succeed."""
    rows = User.objects.using(ALIAS).select_for_update().filter(roles__contains=[ADMINISTRATOR], active=True)
    return [user.id for user in rows.order_by("pk")]


def lock(user_id: UUID) -> User:
    """Raises UserUnknown, also for an account that was erased."""
    return _there(User.objects.using(ALIAS).select_for_update().filter(pk=user_id, erased_at=None).first())


def lock_to_end(user_id: UUID, *, allowed: Set[str] | None) -> User:
    """
    An account that is about to be closed or erased, by somebody who may do ``allowed`` (None: by its owner).

    Raises UserUnknown, MoreThanYours, LastAdministrator.
    """
    administrators = lock_administrators()
    user = lock(user_id)
    require_rank(user, allowed)
    if administrators == [user_id]:
        raise LastAdministrator
    return user


def lock_by_token(token: str, *, purpose: str) -> User:
    """The account that a letter's token opens; the token goes with that. Raises BadMailToken."""
    user_id = mail.user_of(token, purpose=purpose)
    if user_id is None:
        raise BadMailToken
    user = User.objects.using(ALIAS).select_for_update().filter(pk=user_id, active=True).first()
    if user is None or not mail.use(token, purpose=purpose):
        raise BadMailToken
    return user


def require_rank(user: User, allowed: Set[str] | None) -> None:
    """Nobody rules over somebody who may do more. Raises MoreThanYours."""
    if allowed is not None and not permissions_of(tuple(user.roles)) <= allowed:
        raise MoreThanYours


def _there(user: User | None) -> User:
    if user is None:
        raise UserUnknown
    return user


# --- Changes to a locked account ------------------------------------------------------------------------------------


def set_email(user: User, email: str) -> bool:
    """
    Another address, not confirmed yet; what was sent to the old one opens nothing any more. Whether it is another.

    The address is locked. Raises EmailTaken.
    """
    if email == user.email:
        return False
    if User.objects.using(ALIAS).filter(email=email).exists():
        raise EmailTaken
    mail.forget_tokens(user.id)
    mail.forget(email=user.email)
    if user.email_verified_at is not None:
        mail.owe(Mail.EMAIL_CHANGED, email=user.email, user_id=user.id)
    user.email, user.email_verified_at = email, None
    mail.owe(Mail.VERIFY_EMAIL, email=email, user_id=user.id)
    return True


def set_password(user: User, encoded: str) -> None:
    """Whoever was signed in with the old one is signed out: it may have been somebody else's."""
    user.password = encoded
    refresh_tokens.revoke_all_of(user.id)
    mail.forget_tokens(user.id, MailToken.PASSWORD_RESET)
    if user.email_verified_at is not None:
        mail.owe(Mail.PASSWORD_CHANGED, email=user.email, user_id=user.id)


def set_active(user: User, active: bool) -> None:
    """A closed account is signed out everywhere, and stays so when it is opened again."""
    user.active = active
    if not active:
        refresh_tokens.revoke_all_of(user.id)
        mail.forget_tokens(user.id)


def erase(user: User) -> None:
    """Nothing of the person stays, here or owed; the id does, so that what points to it still points to one account."""
    refresh_tokens.forget_all_of(user.id)
    mail.forget_tokens(user.id)
    mail.forget(email=user.email, user_id=user.id)
    # No address looks like this, so nobody can have it.
    user.email, user.name, user.password = f"erased:{user.id}", "", make_password(None)
    user.roles, user.active, user.email_verified_at = [], False, None
    user.save(using=ALIAS)
    User.objects.using(ALIAS).filter(pk=user.pk).update(erased_at=Now())


def apply(user: User, *, name: str | None, email: str | None, encoded: str | None, active: bool | None) -> bool:
    """What is given. Whether anything is different now, and is still to be saved. Raises EmailTaken."""
    changed = encoded is not None
    if encoded is not None:
        set_password(user, encoded)
    if email is not None:
        changed |= set_email(user, email)
    if active is not None and active != user.active:
        set_active(user, active)
        changed = True
    if name is not None and name != user.name:
        user.name = name
        changed = True
    return changed
