"""What users does: one method is one use case and one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence, Set
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils.crypto import constant_time_compare

from apps.users import accounts, mail, refresh_tokens
from apps.users.accounts import (
    ADMINISTRATOR,
    Account,
    BadMailToken,
    BadRefreshToken,
    EmailTaken,
    EmailVerifiedAlready,
    LastAdministrator,
    MoreThanYours,
    WrongPassword,
)
from apps.users.models import Mail, MailToken, User
from contracts import users as contract
from contracts.users import (
    BadCredentials,
    SessionEnded,
    UserDeactivated,
    UserErased,
    UserInactive,
    UserUnknown,
    UserUpdated,
)
from runtime.console.overseeing import Overseeing
from runtime.databases.clock import Now
from runtime.databases.keyset import Page, PageRequest
from runtime.databases.keyset import slice as page_of
from runtime.identity.tokens import issue
from runtime.messaging import publish
from runtime.messaging.listening import Listening

__all__ = [
    "SERVICE",
    "Account",
    "BadMailToken",
    "BadRefreshToken",
    "EmailTaken",
    "EmailVerifiedAlready",
    "LastAdministrator",
    "MoreThanYours",
    "TokenPair",
    "Users",
    "WrongPassword",
]

ALIAS = "users"

CUSTOMER = "customer"
OPERATOR_ROLES = ("operator", ADMINISTRATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    access: str
    refresh: str


class Users(Listening, Overseeing):
    """Implements contracts.users.UserService, and what accounts do themselves."""

    domain = "users"

    # --- For other domains ------------------------------------------------------------------------------------------

    def get(self, *, user_id: UUID) -> contract.User:
        user = User.objects.using(ALIAS).filter(pk=user_id).first()
        if user is None:
            raise UserUnknown
        return accounts.as_contract(user)

    def validate(self, *, user_id: UUID) -> contract.User:
        user = self.get(user_id=user_id)
        if not user.active:
            raise UserInactive
        return user

    def authenticate(self, *, email: str, password: str) -> contract.Session:
        user = accounts.with_password(email, password)
        return contract.Session(user=accounts.as_contract(user), version=accounts.session_version(user))

    def session(self, *, user_id: UUID, version: str) -> contract.User:
        user = User.objects.using(ALIAS).filter(pk=user_id, active=True).first()
        if user is None or not constant_time_compare(version, accounts.session_version(user)):
            raise SessionEnded
        return accounts.as_contract(user)

    # --- Opening accounts -------------------------------------------------------------------------------------------

    def register(self, *, email: str, name: str, password: str) -> Account:
        """
        The letter that confirms the address follows. Raises EmailTaken. The password is expected to keep the rules
        (serializers.py).
        """
        user = User(email=email.lower(), name=name, password=make_password(password), roles=[CUSTOMER])
        with transaction.atomic(using=ALIAS):
            if not accounts.open_account(user):
                raise EmailTaken
            mail.owe(Mail.VERIFY_EMAIL, email=user.email, user_id=user.id)
        return self.account(user_id=user.id)

    def import_account(self, *, user_id: UUID, email: str, name: str) -> bool:
        """A customer known from elsewhere, with a password that opens nothing. Whether the account is new."""
        user = User(id=user_id, email=email.lower(), name=name, password=make_password(None), roles=[CUSTOMER])
        with transaction.atomic(using=ALIAS):
            return accounts.open_account(user)

    def ensure_operator(self, *, email: str, password: str) -> Account:
        """An account with this password that may do everything; made where it is missing."""
        known = User.objects.by_email(email)
        if known is None:
            user = User(email=email.lower(), name="Operator", password=make_password(password), roles=[CUSTOMER])
            with transaction.atomic(using=ALIAS):
                accounts.open_account(user)
            known = User.objects.by_email(email)
            assert known is not None, "an account that was opened is there"
        if not check_password(password, known.password):
            with transaction.atomic(using=ALIAS):
                user = accounts.lock(known.id)
                accounts.set_password(user, make_password(password))
                user.save(using=ALIAS, update_fields=["password"])
        return self.set_roles(user_id=known.id, roles=OPERATOR_ROLES)

    # --- Looking at accounts ----------------------------------------------------------------------------------------

    def account(self, *, user_id: UUID) -> Account:
        """Raises UserUnknown."""
        return accounts.as_account(accounts.find(user_id))

    def accounts(self, *, page: PageRequest) -> Page[Account]:
        """Newest first."""
        rows = User.objects.using(ALIAS).filter(erased_at=None)
        return page_of(rows, field="created_at", descending=True, request=page).map(accounts.as_account)

    # --- Changing accounts ------------------------------------------------------------------------------------------

    def change(
        self,
        *,
        user_id: UUID,
        name: str | None = None,
        email: str | None = None,
        password: str | None = None,
        current_password: str = "",
        active: bool | None = None,
        allowed: Set[str] | None = None,
    ) -> Account:
        """
        What is given is changed, all or nothing. ``allowed`` are the permissions of somebody else who does it (None:
        the user); a new password needs the current one.

        Raises UserUnknown, EmailTaken, WrongPassword, MoreThanYours, LastAdministrator.
        """
        before, encoded = (None, None) if password is None else _exchange(user_id, current_password, password)
        email = None if email is None else email.lower()
        with transaction.atomic(using=ALIAS):
            if email is not None:
                accounts.lock_email(email)
            closes = active is False
            user = accounts.lock_to_end(user_id, allowed=allowed) if closes else accounts.lock(user_id)
            accounts.require_rank(user, allowed)
            told = UserDeactivated if closes and user.active else UserUpdated
            if before is not None and user.password != before:
                raise WrongPassword
            if accounts.apply(user, name=name, email=email, encoded=encoded, active=active):
                user.save(using=ALIAS)
                publish(told(user_id=user_id), using=ALIAS)
        return accounts.as_account(user)

    def set_roles(self, *, user_id: UUID, roles: Sequence[str]) -> Account:
        """These roles and no others, in tokens issued from now on. Raises UserUnknown, LastAdministrator."""
        wanted = sorted(set(roles))
        with transaction.atomic(using=ALIAS):
            administrators = accounts.lock_administrators()
            if ADMINISTRATOR not in wanted and administrators == [user_id]:
                raise LastAdministrator
            user = accounts.lock(user_id)
            if sorted(user.roles) != wanted:
                user.roles = wanted
                user.save(using=ALIAS, update_fields=["roles"])
                publish(UserUpdated(user_id=user_id), using=ALIAS)
        return accounts.as_account(user)

    def erase(self, *, user_id: UUID, allowed: Set[str] | None = None) -> None:
        """
        Forget the person; the id stays, inactive, and the address is free. Other domains forget theirs when they hear
        of it. Raises UserUnknown (also the second time), MoreThanYours, LastAdministrator.
        """
        with transaction.atomic(using=ALIAS):
            accounts.erase(accounts.lock_to_end(user_id, allowed=allowed))
            publish(UserErased(user_id=user_id), using=ALIAS)

    # --- By mail ----------------------------------------------------------------------------------------------------

    def ask_for_password_reset(self, *, email: str) -> None:
        """A letter with a token, if there is such an account: nothing here looks whether there is."""
        mail.owe(Mail.PASSWORD_RESET, email=email.lower())

    def reset_password(self, *, token: str, password: str) -> None:
        """
        A new password for whoever got the letter, who has the address confirmed by that. Raises BadMailToken.
        """
        if mail.user_of(token, purpose=MailToken.PASSWORD_RESET) is None:
            raise BadMailToken
        encoded = make_password(password)
        with transaction.atomic(using=ALIAS):
            user = accounts.lock_by_token(token, purpose=MailToken.PASSWORD_RESET)
            user.email_verified_at = user.email_verified_at or Now()
            accounts.set_password(user, encoded)
            user.save(using=ALIAS, update_fields=["password", "email_verified_at"])
            publish(UserUpdated(user_id=user.id), using=ALIAS)

    def ask_for_verification(self, *, user_id: UUID) -> None:
        """The letter that confirms the address, again. Raises UserUnknown, EmailVerifiedAlready."""
        with transaction.atomic(using=ALIAS):
            user = accounts.lock(user_id)
            if user.email_verified_at is not None:
                raise EmailVerifiedAlready
            mail.owe(Mail.VERIFY_EMAIL, email=user.email, user_id=user.id)

    def verify_email(self, *, token: str) -> None:
        """The address is confirmed by whoever got the letter. Raises BadMailToken."""
        with transaction.atomic(using=ALIAS):
            user = accounts.lock_by_token(token, purpose=MailToken.VERIFY_EMAIL)
            mail.forget_tokens(user.id, MailToken.VERIFY_EMAIL)
            user.email_verified_at = Now()
            user.save(using=ALIAS, update_fields=["email_verified_at"])
            publish(UserUpdated(user_id=user.id), using=ALIAS)

    def send_due_mail(self) -> bool:
        """Send one letter, outside of any transaction. Whether there may be more that can be sent now."""
        row = mail.take_due()
        return row is not None and mail.send(row)

    # --- Signing in -------------------------------------------------------------------------------------------------

    def sign_in(self, *, email: str, password: str) -> TokenPair:
        """Raises BadCredentials, after the same work whether or not there is such an account."""
        user = accounts.with_password(email, password)
        refresh = secrets.token_urlsafe(32)
        with transaction.atomic(using=ALIAS):
            # Looked at again under the lock: a new password must not meet a sign-in that began with the old one.
            if accounts.lock(user.id).password != user.password:
                raise BadCredentials
            refresh_tokens.begin_family(user, first=refresh)
        return TokenPair(access=issue(user_id=user.id, roles=user.roles), refresh=refresh)

    def refresh(self, *, refresh: str) -> TokenPair:
        """
        A new pair for a refresh token, which is used up by that. Raises BadRefreshToken.

        A token that is used a second time revokes its whole family: one of the two who had it is a thief (RFC 9700,
        4.14.2). Within REUSE_GRACE it is only refused.
        """
        successor = secrets.token_urlsafe(32)
        with transaction.atomic(using=ALIAS):
            family = refresh_tokens.use(refresh, successor=successor)
            if family is not None:
                refresh_tokens.keep(successor, family)
        # Outside the transaction: a refusal must not undo what the reuse of a token has revoked.
        if family is None:
            raise BadRefreshToken
        return TokenPair(access=issue(user_id=family.user_id, roles=family.user.roles), refresh=successor)

    def revoke(self, *, refresh: str) -> None:
        """Sign out: the token's whole family ends. An unknown token is no error (RFC 7009, 2.2)."""
        refresh_tokens.revoke_family_of(refresh)

    # --- Timers -----------------------------------------------------------------------------------------------------

    def prune_tokens(self) -> bool:
        """Forget refresh tokens that ended a day ago. Whether there may be more."""
        return refresh_tokens.prune()

    def prune_mail(self) -> bool:
        """Forget what was mailed long ago, and the files of whoever was erased. Whether there may be more."""
        return mail.prune()


SERVICE = Users()


def _exchange(user_id: UUID, current: str, new: str) -> tuple[str, str]:
    """The old and the new password, encoded; hashing takes too long for a transaction. Raises WrongPassword."""
    before = accounts.find(user_id).password
    if not check_password(current, before):
        raise WrongPassword
    return before, make_password(new)
