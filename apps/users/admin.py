"""The console's pages of users: accounts, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString

from apps.users import queries
from apps.users.models import User
from apps.users.service import SERVICE
from contracts._base import Figure, Overview
from contracts.users import ROLES, permissions_of
from runtime.console.actions import Action
from runtime.console.figures import count
from runtime.console.filters import condition_filter
from runtime.console.forms import ActionForm, several, text
from runtime.console.machinery import register_machinery
from runtime.console.overviews import overview_of
from runtime.console.panels import Panel, badge, code, link, short
from runtime.console.records import Records, address_of_list


class RolesForm(ActionForm):
    roles = several("Roles", list(ROLES))
    reason = text("Reason", longest=200, help_text="For the audit.")


class ChangeRoles(Action[User]):
    name = "change-roles"
    title = "Change roles"
    icon = "badge"
    permission = "users.change_roles"
    form = RolesForm
    dangerous = True

    def is_legal(self, row: User) -> bool:
        return row.erased_at is None

    def facts(self, row: User) -> Mapping[str, Any]:
        return {"roles": ", ".join(sorted(row.roles)), "active": row.active}

    def initial(self, row: User) -> dict[str, Any]:
        return {"roles": row.roles}

    def preview(self, row: User) -> Sequence[str]:
        return (
            "The account has the roles that are ticked, and no others.",
            "It is signed out of the console within ten seconds; an access token lives on for up to fifteen minutes.",
        )

    def run(self, row: User, given: Mapping[str, Any], *, key: str) -> str:
        account = SERVICE.set_roles(user_id=row.id, roles=given["roles"])
        return f"The account has these roles now: {', '.join(account.roles) or 'none'}."


@admin.register(User)
class UserPages(Records):
    offers = (ChangeRoles(),)
    called = ("account", "accounts")
    list_display = ("email", "name", "role_names", "standing", "created_at", "brief")
    list_filter = (
        condition_filter("role", "role", {role: Q(roles__contains=[role]) for role in ROLES}),
        condition_filter(
            "standing",
            "standing",
            {
                "active": Q(active=True),
                "closed": Q(active=False, erased_at=None),
                "erased": Q(erased_at__isnull=False),
            },
        ),
        "created_at",
    )
    search_ids = ("id",)
    search_fields = ("email", "name")
    search_help_text = "An account's id, or part of an e-mail address or a name"
    ordering = ("-created_at",)
    fields = ("number", "email", "name", "role_names", "standing", "email_verified_at", "created_at", "erased_at")
    readonly_fields = ("number", "role_names", "standing")

    def panels(self, row: User) -> Sequence[Panel]:
        allowed = sorted(permissions_of(tuple(row.roles)))
        user_id = str(row.id)
        places = (
            ("Orders", address_of_list("orders", "order", q=user_id)),
            ("Payments", address_of_list("payments", "payment", q=user_id)),
            ("What was told of the account", address_of_list("users", "outboxmessage", q=user_id)),
            ("What operators did to it", address_of_list("users", "auditentry", q=user_id)),
        )
        return (
            Panel(
                title="What the roles allow",
                headers=("Permission",),
                rows=[(code(permission),) for permission in allowed],
                empty="What every customer may do.",
            ),
            Panel(title="Elsewhere", headers=("Where",), rows=[(link(address, title),) for title, address in places]),
        )

    @admin.display(description="id", ordering="id")
    def brief(self, row: User) -> SafeString:
        return short(row.id)

    @admin.display(description="id")
    def number(self, row: User) -> SafeString:
        return code(row.id)

    @admin.display(description="roles", ordering="roles")
    def role_names(self, row: User) -> str:
        return ", ".join(row.roles)

    @admin.display(description="standing", ordering="active")
    def standing(self, row: User) -> SafeString:
        if row.erased_at is not None:
            return badge("erased")
        return badge("active", "good") if row.active else badge("closed", "bad")


def _figures() -> list[Figure]:
    counts = queries.count_accounts()
    staff = [role for role in ROLES if role != "customer"]
    return [
        count("Accounts", counts["active"], address_of_list("users", "user", standing="active")),
        *(count(role.capitalize(), counts[role], address_of_list("users", "user", role=role)) for role in staff),
    ]


def overview() -> Overview:
    """For the first page, whoever shows it."""
    return overview_of("users", figures=_figures)


register_machinery("users")
