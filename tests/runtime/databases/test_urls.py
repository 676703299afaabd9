"""How a role's way in follows from an administrator's."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.databases.urls import BadDatabaseUrl, connection_settings, role_password, role_url, url_user

SECRET = "only the tests know"
ADMIN = "postgresql://admin:letmein@db.example:6432/shop?sslmode=require"

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def test_a_roles_password_is_the_hmac_of_its_name() -> None:
    expected = hmac.new(SECRET.encode(), b"orders", hashlib.sha256).hexdigest()

    assert role_password("orders", SECRET) == expected
    assert len(expected) == 64


def test_every_role_and_every_secret_has_a_password_of_its_own() -> None:
    roles = ("users", "users_owner", "orders", "orders_owner")
    passwords = {role_password(role, secret) for role in roles for secret in (SECRET, "another")}

    assert len(passwords) == 8


def test_a_roles_url_leads_to_the_same_database_under_another_name() -> None:
    assert role_url(ADMIN, "orders", SECRET) == (
        f"postgresql://orders:{role_password('orders', SECRET)}@db.example:6432/shop?sslmode=require"
    )


def test_an_administrators_password_does_not_get_into_a_roles_url() -> None:
    assert "letmein" not in role_url(ADMIN, "orders", SECRET)
    expected = f"postgresql://orders:{role_password('orders', SECRET)}@db.example/shop"
    assert role_url("postgresql://admin:letmein@twice@db.example/shop", "orders", SECRET) == expected


def test_a_url_becomes_djangos_settings() -> None:
    assert connection_settings(ADMIN) == {
        "HOST": "db.example",
        "PORT": "6432",
        "NAME": "shop",
        "USER": "admin",
        "PASSWORD": "letmein",
        "OPTIONS": {"sslmode": "require"},
    }


def test_what_a_url_leaves_out_has_its_usual_value() -> None:
    assert connection_settings("postgres://db.example/shop") == {
        "HOST": "db.example",
        "PORT": "5432",
        "NAME": "shop",
        "USER": "",
        "PASSWORD": "",
        "OPTIONS": {},
    }


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert connection_settings("postgresql://admin:x@[::1]:6432/shop")["HOST"] == "::1"
    assert connection_settings(role_url("postgresql://admin:x@[::1]:6432/shop", "orders", SECRET))["HOST"] == "::1"


@settings(deadline=None)
@given(user=words, password=words, name=words.filter(lambda text: text.strip("/")))
def test_whatever_is_quoted_in_a_url_comes_out_as_it_was(user: str, password: str, name: str) -> None:
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db.example/{quote(name, safe='')}"
    found = connection_settings(url)

    assert (found["USER"], found["PASSWORD"], found["NAME"]) == (user, password, name)
    assert url_user(url) == user


@settings(deadline=None)
@given(role=words)
def test_a_roles_url_can_be_read_back(role: str) -> None:
    found = connection_settings(role_url(ADMIN, role, SECRET))

    assert found["USER"] == role
    assert found["PASSWORD"] == role_password(role, SECRET)
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", "6432", "shop")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://admin:letmein@db.example/shop",
        "postgresql://admin:letmein@db.example",
        "postgresql://admin:letmein@db.example/",
        "db.example",
        "",
    ],
)
def test_what_is_no_database_url_is_refused_without_saying_the_password(url: str) -> None:
    for read in (connection_settings, url_user, lambda text: role_url(text, "orders", SECRET)):
        with pytest.raises(BadDatabaseUrl, match="does not look like postgresql://") as caught:
            read(url)
        assert "letmein" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("admin:letmein@db.example/shop", id="the beginning was forgotten"),
        pytest.param("postgresql://admin:letmein#1@db.example/shop", id="a password that is not quoted, with #"),
        pytest.param("postgresql://admin:letmein?1@db.example/shop", id="a password that is not quoted, with ?"),
        pytest.param("postgresql://admin:letmein/1@db.example/shop", id="a password that is not quoted, with /"),
        pytest.param("postgresql://admin:letmein@db.example:port/shop", id="a port that is no number"),
    ],
)
def test_a_url_that_was_mistyped_is_refused_without_saying_the_password(url: str) -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        connection_settings(url)

    assert "letmein" not in str(caught.value)
