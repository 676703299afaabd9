"""
Users' promise to the other domains: it knows who somebody is, whether they may act, and what their roles allow.

Nothing personal crosses: no e-mail, no name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol
from uuid import UUID

from contracts._base import Event, Listener, Overseen, Ref, Rejected

# --- Values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    active: bool
    roles: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    Somebody who has just signed in. ``version`` stands for their password, roles and standing as they are now: whoever
    keeps a session keeps it too, and shows it again to ask whether the session is still good.
    """

    user: User
    version: str


ROLES: dict[str, frozenset[str]] = {
    "customer": frozenset(),
    "support": frozenset(
        {
            "users.view_any",
            "inventory.view_any",
            "orders.view_any",
            "orders.cancel_any",
            "payments.view_any",
            "payments.refund",
        }
    ),
    "operator": frozenset(
        {
            "users.view_any",
            "users.change_any",
            "users.change_values",
            "users.decide_events",
            "users.decide_processes",
            "users.start_anew",
            "inventory.view_any",
            "inventory.change_catalogue",
            "inventory.change_stock",
            "inventory.decide_events",
            "inventory.decide_processes",
            "inventory.start_anew",
            "orders.view_any",
            "orders.cancel_any",
            "orders.place_for",
            "orders.fulfil",
            "orders.decide_events",
            "orders.decide_processes",
            "orders.start_anew",
            "payments.view_any",
            "payments.refund",
            "payments.decide_events",
            "payments.decide_processes",
            "payments.start_anew",
        }
    ),
}
"""What each role allows. Permissions are code: a service needs no table to know what a token's roles mean."""
ROLES["administrator"] = ROLES["operator"] | {"users.change_roles"}

STAFF_ROLES = frozenset({"support", "operator", "administrator"})
"""Who may open the console, and is not counted by the rate limits."""


def permissions_of(roles: tuple[str, ...]) -> frozenset[str]:
    """All that these roles allow together. A role that is not known allows nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


# --- Errors ---------------------------------------------------------------------------------------------------------


class UserUnknown(Rejected):
    """No such user."""

    code: ClassVar[str] = "user_unknown"


class UserInactive(Rejected):
    """This user may not place orders: the account is not active."""

    code: ClassVar[str] = "user_inactive"


class BadCredentials(Rejected):
    """The e-mail address or the password is wrong, or the account is closed."""

    code: ClassVar[str] = "invalid_credentials"


class SessionEnded(Rejected):
    """This session is over: the account was closed, or its password or roles were changed since."""

    code: ClassVar[str] = "session_ended"


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _UserEvent(Event):
    exchange: ClassVar[str] = "users"
    user_id: UUID

    @property
    def subject(self) -> str:
        return str(self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(_UserEvent):
    name: ClassVar[str] = "UserRegistered"
    routing_key: ClassVar[str] = "user.registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUpdated(_UserEvent):
    name: ClassVar[str] = "UserUpdated"
    routing_key: ClassVar[str] = "user.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeactivated(_UserEvent):
    name: ClassVar[str] = "UserDeactivated"
    routing_key: ClassVar[str] = "user.deactivated"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserErased(_UserEvent):
    name: ClassVar[str] = "UserErased"
    routing_key: ClassVar[str] = "user.erased"


# --- Promise --------------------------------------------------------------------------------------------------------


class UserService(Listener, Overseen, Protocol):
    def get(self, *, user_id: UUID) -> User:
        """Who this is, active or not. Raises UserUnknown."""
        ...

    def validate(self, *, user_id: UUID) -> User:
        """The user, if they may place orders now. Raises UserUnknown, UserInactive."""
        ...

    def authenticate(self, *, email: str, password: str) -> Session:
        """Whose e-mail address and password these are. Raises BadCredentials. Changes nothing, and counts nothing."""
        ...

    def session(self, *, user_id: UUID, version: str) -> User:
        """
        The user, if a session of this version is still good. Raises SessionEnded, also where there is no such user.
        """
        ...


USERS = Ref[UserService]("users")
