"""The operator, as Django's admin wants a user to be. There is no such table, in no schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from django.db import models

from runtime.identity.principal import Principal


class Operator(models.Model):
    """
    Somebody who is signed in to the console. AUTH_USER_MODEL in every topology: made from the session and what users
    says of it, never read from a database. What they may do follows from their roles, by code.
    """

    id = models.UUIDField(primary_key=True)

    USERNAME_FIELD = "id"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    is_authenticated = True
    is_anonymous = False
    is_active = True
    has_usable_password = False
    """Passwords are changed elsewhere: the console has no page for it."""

    class Meta:
        managed = False

    principal: Principal
    name: str

    @classmethod
    def of(cls, principal: Principal, *, name: str) -> Self:
        """``name`` is what they signed in with; it is only ever shown to themselves."""
        operator = cls(id=principal.user_id)
        operator.principal, operator.name = principal, name
        return operator

    def __str__(self) -> str:
        return self.name

    def get_username(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    @property
    def email(self) -> str:
        """What stands below the name in the sidebar: the roles."""
        return ", ".join(self.principal.roles)

    @property
    def is_staff(self) -> bool:
        return self.principal.is_staff

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return self.principal.may(permission)

    def has_perms(self, permissions: Iterable[str], obj: object = None) -> bool:
        return all(map(self.principal.may, permissions))

    def has_module_perms(self, domain: str) -> bool:
        return self.principal.may(f"{domain}.view_any")
