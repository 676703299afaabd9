"""
Mail that is owed: written down with the change that owes it, sent later from a timer, tried again until it is taken.

Neither an address nor a token ever goes into a log: what went wrong is told by the error's kind and the letter's id.
"""

from __future__ import annotations

import logging
import random
import secrets
import smtplib
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.users import gateways
from apps.users.letters import LIFETIMES, letter
from apps.users.models import Mail, MailToken, User
from apps.users.refresh_tokens import digest_of
from runtime.databases.clock import Now

log = logging.getLogger(__name__)

ALIAS = "users"

LONGEST_WAIT = 15.0
"""Seconds between two tries, at the most."""

_SENT_WITHIN = timedelta(seconds=60)
"""While this runs out, nobody else sends the letter: a mail server may take its time, and a sender may have died."""

_GIVEN_UP_AFTER = timedelta(days=1)
_KEPT_AFTER_THAT = timedelta(days=7)

# --- Owing ----------------------------------------------------------------------------------------------------------


def owe(kind: str, *, email: str, user_id: UUID | None = None) -> None:
    """
    A letter of this kind to this address, soon. Asked for again while it waits, it is still one letter.

    For PASSWORD_RESET nobody looks whether there is such an account before the letter is due, so that asking costs
    the same and shows the same for every address.
    """
    Mail.objects.using(ALIAS).bulk_create(
        [Mail(kind=kind, email=email, user_id=user_id)],
        update_conflicts=True,
        unique_fields=["kind", "email"],
        update_fields=["user_id", "created_at", "due_at", "attempts", "error", "given_up_at"],
    )


def forget(*, email: str, user_id: UUID | None = None) -> None:
    """Nothing is owed to this address any more, nor to this account at another one."""
    Mail.objects.using(ALIAS).filter(email=email).delete()
    if user_id is not None:
        Mail.objects.using(ALIAS).filter(user_id=user_id).delete()


# --- Tokens ---------------------------------------------------------------------------------------------------------


def user_of(token: str, *, purpose: str) -> UUID | None:
    """Whose token this is; None where it is unknown, used, expired or for something else."""
    found = MailToken.objects.using(ALIAS).filter(digest=digest_of(token), purpose=purpose, expires_at__gt=Now())
    return found.values_list("user_id", flat=True).first()


def use(token: str, *, purpose: str) -> bool:
    """The token goes. Of several who use it at the same time one hears True."""
    gone, _ = MailToken.objects.using(ALIAS).filter(digest=digest_of(token), purpose=purpose).delete()
    return bool(gone)


def forget_tokens(user_id: UUID, *purposes: str) -> None:
    """What was sent to this account opens nothing any more; no purpose means all of them."""
    tokens = MailToken.objects.using(ALIAS).filter(user_id=user_id)
    (tokens.filter(purpose__in=purposes) if purposes else tokens).delete()


# --- Sending --------------------------------------------------------------------------------------------------------


def take_due() -> Mail | None:
    """The letter that has waited longest, given to one caller only."""
    with transaction.atomic(using=ALIAS):
        due = Mail.objects.using(ALIAS).select_for_update(skip_locked=True).filter(given_up_at=None, due_at__lte=Now())
        row = due.order_by("due_at").first()
        if row is not None:
            row.attempts += 1
            Mail.objects.using(ALIAS).filter(pk=row.pk).update(due_at=Now() + _SENT_WITHIN, attempts=row.attempts)
    return row


def send(row: Mail) -> bool:
    """
    Send a letter that was taken, outside of any transaction. False where the mail server cannot be reached: then
    there is no use in trying the next one now.
    """
    message = _written(row)
    try:
        if message is not None:
            message.send()
    except Exception as error:  # whatever it was, the letter is not lost
        return _try_later(row, error)
    # A letter that was asked for again meanwhile is due again, and stays.
    Mail.objects.using(ALIAS).filter(pk=row.pk, attempts=row.attempts).delete()
    return True


def _written(row: Mail) -> gateways.AccountMail | None:
    """The letter, with a token of its own where it needs one. None where nobody is to get it any more."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic(using=ALIAS):
        user = _recipient(row)
        if user is None:
            return None
        if row.kind in LIFETIMES:
            MailToken.objects.using(ALIAS).create(
                digest=digest_of(token), user=user, purpose=row.kind, expires_at=Now() + LIFETIMES[row.kind]
            )
    written = letter(row.kind, public_url=settings.PUBLIC_URL, token=token)
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    # Django would put this machine's name into the id.
    headers = {"Message-ID": f"<{row.pk}.{row.attempts}@{host}>", "Auto-Submitted": "auto-generated"}
    message = gateways.AccountMail(written.subject, written.text, to=[row.email], headers=headers)
    message.user_id = user.id
    return message


def _recipient(row: Mail) -> User | None:
    """Locked, so that an account that is being erased gets no new token."""
    users = User.objects.using(ALIAS).select_for_update().filter(active=True)
    if row.kind in (Mail.EMAIL_CHANGED, Mail.PASSWORD_CHANGED):
        return users.filter(pk__in=[row.user_id]).first()
    if row.kind == Mail.VERIFY_EMAIL:
        users = users.filter(email_verified_at=None)
    return users.filter(email=row.email).first()


def _try_later(row: Mail, error: Exception) -> bool:
    code = _refusal(error)
    what = f"{type(error).__name__} {code or ''}".rstrip()
    wait = timedelta(seconds=min(LONGEST_WAIT, 0.5 * 2 ** min(row.attempts, 8)) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
    mine = Mail.objects.using(ALIAS).filter(pk=row.pk, attempts=row.attempts)
    mine.update(error=what, due_at=Now() + wait)
    hopeless = mine if code is not None else mine.filter(created_at__lt=Now() - _GIVEN_UP_AFTER)
    if hopeless.update(given_up_at=Now()):
        log.error("a letter could not be sent and is given up", extra={"mail": row.pk, "kind": row.kind, "error": what})
    else:
        log.warning("a letter could not be sent yet", extra={"mail": row.pk, "kind": row.kind, "error": what})
    return code is not None


def _refusal(error: Exception) -> int | None:
    """The code of a refusal for good (RFC 5321, 4.2.1: 5yz) of this letter; None where a later try may succeed."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return min(codes) if codes and min(codes) >= 500 else None
    if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
        return error.smtp_code
    return None


# --- Forgetting -----------------------------------------------------------------------------------------------------


def prune() -> bool:
    """Forget tokens that have expired, letters that were given up a week ago, and files of accounts that are gone."""
    MailToken.objects.using(ALIAS).filter(expires_at__lt=Now()).delete()
    Mail.objects.using(ALIAS).filter(given_up_at__lt=Now() - _KEPT_AFTER_THAT).delete()
    gateways.forget(_gone)
    return False


def _gone(user_ids: Iterable[UUID]) -> Iterable[UUID]:
    asked = set(user_ids)
    here = User.objects.using(ALIAS).filter(pk__in=asked, erased_at=None).values_list("pk", flat=True)
    return asked - set(here)
