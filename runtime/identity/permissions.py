"""Who may use a view: anyone, whoever is signed in, or whoever holds a permission."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

from runtime.identity.principal import caller

__all__ = ["Anyone", "Requires", "SignedIn"]


class Anyone(AllowAny):
    """Public, and says so. A bad token is still a 401."""


class SignedIn(BasePermission):
    """401 for anybody else."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return caller(request) is not None


class UndottedPermission(ValueError):
    """A permission is written domain.permission, as in orders.view_any."""


def Requires(permission: str) -> type[BasePermission]:  # noqa: N802 - stands where a class does
    """``permission_classes = [Requires("orders.view_any")]``: 401 without a good token, 403 without the permission."""
    domain, _, name = permission.partition(".")
    if not domain or not name:
        raise UndottedPermission(f"{permission!r} is not written domain.permission, as in orders.view_any")

    class RequiresPermission(SignedIn):
        message = f"This needs the permission {permission}."
        code = "permission_denied"
        needed = permission

        def has_permission(self, request: Request, view: Any) -> bool:
            found = caller(request)
            return found is not None and found.may(permission)

    return RequiresPermission
