"""Users at the console: who may do what is changed by administrators alone, and never to nobody."""

from __future__ import annotations

import pytest

from apps.users.models import User
from apps.users.service import SERVICE
from runtime.console import identity

pytestmark = pytest.mark.django_db


def test_the_last_administrator_stays_one(sign_in) -> None:
    operator = sign_in("administrator")

    answer = operator.act(f"/admin/users/user/{operator.id}/change-roles/", roles="support", reason="Enough.")

    assert answer.status_code == 409
    assert "Nobody would be left who can change roles" in answer.content.decode()


def test_whose_roles_were_changed_is_signed_out_of_the_console(sign_in) -> None:
    administrator, other = sign_in("administrator"), sign_in("support")

    administrator.act(f"/admin/users/user/{other.id}/change-roles/", roles="operator", reason="Promoted.")
    identity.forget()

    assert other.get("/admin/").status_code == 302


def test_several_roles_are_given_at_once_and_all_may_be_taken(sign_in, account) -> None:
    administrator, (user_id, _) = sign_in("administrator"), account("customer")
    address = f"/admin/users/user/{user_id}/change-roles/"

    administrator.act(address, roles=["support", "operator"], reason="Promoted.")
    assert SERVICE.account(user_id=user_id).roles == ("operator", "support")

    administrator.act(address, reason="Retired.")
    assert SERVICE.account(user_id=user_id).roles == ()


def test_a_role_that_there_is_not_is_not_given(sign_in, account) -> None:
    administrator, (user_id, _) = sign_in("administrator"), account("customer")

    answer = administrator.act(f"/admin/users/user/{user_id}/change-roles/", roles="emperor", reason="Why not?")

    assert answer.status_code == 422
    assert SERVICE.account(user_id=user_id).roles == ("customer",)


def test_an_erased_account_is_shown_without_the_person_and_has_no_actions(sign_in, account) -> None:
    administrator, (user_id, email) = sign_in("administrator"), account("customer")
    SERVICE.erase(user_id=user_id)

    page = administrator.get(f"/admin/users/user/{user_id}/change/")

    assert email not in page.content.decode()
    assert page.context["offered"] == []


def test_no_page_shows_a_password(sign_in, account) -> None:
    operator, (user_id, _) = sign_in("operator"), account("customer")
    stored = User.objects.using("users").get(pk=user_id).password

    for page in (f"/admin/users/user/{user_id}/change/", "/admin/users/user/"):
        content = operator.get(page).content.decode()
        assert stored not in content
        assert "argon2" not in content


def test_accounts_are_found_by_address_and_by_role(sign_in, account) -> None:
    operator, (user_id, email) = sign_in("operator"), account("support")

    def found(**query: str) -> set:
        return {row.id for row in operator.get("/admin/users/user/", query).context["cl"].result_list}

    assert found(q=email) == {user_id}
    assert found(role="support") == {user_id}
    assert found(role="operator") == {operator.id}
