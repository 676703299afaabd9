"""Tables of users: accounts, the refresh tokens that keep them signed in, and the mail that is owed to them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models

from contracts._base import new_id
from runtime.databases.clock import Now


class UserManager(BaseUserManager["User"]):
    def by_email(self, email: str) -> User | None:
        """Whoever has this address, in whatever case it is written."""
        return self.using("users").filter(email=email.lower()).first()


class User(AbstractBaseUser):
    """
    An account. Roles are names from contracts/users.py; what a role allows is code, not rows.

    ``email`` is kept in lower case. There are no groups and no permission rows (no PermissionsMixin), and when somebody
    last signed in is nobody's business. An erased account (``erased_at``) keeps its id and nothing of the person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.CharField(max_length=254, unique=True)
    name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=32), default=list)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())
    email_verified_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    last_login = None

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(email__regex="[A-Z]"), name="user_email_in_lower_case"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at", "id"], name="user_in_order_of_age")]

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # Django's words for it
        return self.active


class RefreshFamily(models.Model):
    """One sign-in and every refresh token that followed from it. Revoked once, for all of them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    created_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)


class RefreshToken(models.Model):
    """
    One refresh token, by its SHA-256; the token itself is never kept. Used once: then ``successor`` follows it.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    family = models.ForeignKey(RefreshFamily, on_delete=models.CASCADE)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    successor = models.CharField(max_length=64, null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="refresh_token_by_age")]


class MailToken(models.Model):
    """
    A token that was sent by mail, by its SHA-256; the token itself is never kept. It opens one purpose, and goes with
    its use.
    """

    VERIFY_EMAIL = "verify_email"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, not a secret

    digest = models.CharField(primary_key=True, max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    purpose = models.CharField(max_length=16)
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="mail_token_by_age")]


class Mail(models.Model):
    """
    A letter that is owed to somebody: sent when it is due, again until it is taken, and gone with that.

    It holds no token and no text: both are made when it is sent. ``user_id`` is known only where whoever asked was.
    """

    VERIFY_EMAIL = MailToken.VERIFY_EMAIL
    PASSWORD_RESET = MailToken.PASSWORD_RESET
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of letter

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16)
    email = models.CharField(max_length=254)
    user_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(db_default=0)
    error = models.CharField(max_length=200, null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            # Asked for twice while it waits, a letter is sent once.
            models.UniqueConstraint(fields=["kind", "email"], name="mail_once_while_owed"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="mail_owed", condition=models.Q(given_up_at__isnull=True)),
        ]
