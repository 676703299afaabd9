"""Who is calling, as the token says; no database is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.exceptions import NotAuthenticated

__all__ = ["Principal", "caller", "principal_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """
    Somebody whose token was verified. ``id`` is the user's id, or for a service its name.

    Permissions follow from the roles by code, so a role that is not known here allows nothing.
    """

    id: str
    roles: tuple[str, ...] = ()
    kind: Literal["user", "service"] = "user"

    is_authenticated = True
    """Django and DRF ask this of whoever is in ``request.user``."""

    @property
    def user_id(self) -> UUID:
        """Raises ValueError for a service."""
        return UUID(self.id)

    @property
    def permissions(self) -> frozenset[str]:
        return _permissions(self.roles)

    @property
    def is_staff(self) -> bool:
        """Whether one of the roles works for the shop."""
        return not _staff_roles().isdisjoint(self.roles)

    def may(self, permission: str) -> bool:
        return permission in self.permissions


def caller(request: Any) -> Principal | None:
    """Who is calling, None for nobody. (DRF's types know Django's users only; here nobody else is in request.user.)"""
    user = request.user
    return user if isinstance(user, Principal) else None


def principal_of(request: Any) -> Principal:
    """The caller of a request that needs one. Raises NotAuthenticated (401) where nobody is signed in."""
    found = caller(request)
    if found is None:
        raise NotAuthenticated
    return found


@cache
def _permissions(roles: tuple[str, ...]) -> frozenset[str]:
    find = cast(Callable[[tuple[str, ...]], frozenset[str]], import_string(settings.IDENTITY_PERMISSIONS))
    return find(roles)


@cache
def _staff_roles() -> frozenset[str]:
    return cast(frozenset[str], import_string(settings.IDENTITY_STAFF_ROLES))
