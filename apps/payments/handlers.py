"""What payments does when another domain announces something."""

from __future__ import annotations

from apps.payments.service import SERVICE
from contracts.users import UserErased
from runtime.messaging import Handlers


def user_erased(event: UserErased) -> None:
    SERVICE.forget_user(user_id=event.user_id)


HANDLERS = Handlers({UserErased: user_erased})
