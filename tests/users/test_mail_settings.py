"""Where mail goes, as the environment says it, and a sentence for what cannot be used."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.environment import BadSetting, read
from config.mail import CONSOLE, FOLDER, SMTP, BadMailUrl, mail_settings

VAR = Path("/srv/var/mail")


def settings_of(url: str):
    return mail_settings(url, default_folder=VAR)


def test_without_a_url_letters_are_files_below_the_state_directory():
    assert (settings_of("").backend, settings_of("").folder) == (FOLDER, VAR)


def test_a_folder_of_ones_own():
    assert settings_of("file:///srv/a%20b").folder == Path("/srv/a b")


def test_the_console_only_where_it_is_asked_for():
    assert settings_of("console:").backend == CONSOLE


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl"),
    [
        ("smtp://mail.example", "mail.example", 587, True, False),
        ("smtp://mail.example:25?tls=off", "mail.example", 25, False, False),
        ("smtp://[::1]:2525", "::1", 2525, True, False),
        ("smtps://mail.example", "mail.example", 465, False, True),
        ("smtps://mail.example:8465/", "mail.example", 8465, False, True),
    ],
)
def test_a_mail_server_is_encrypted_unless_it_is_said_otherwise(url, host, port, tls, ssl):
    found = settings_of(url)

    assert (found.backend, found.host, found.port, found.tls, found.ssl) == (SMTP, host, port, tls, ssl)


def test_who_signs_in_to_the_mail_server_may_have_any_name_and_password():
    found = settings_of("smtp://shop%40example:p%40ss%2Fw%3Ard@mail.example")

    assert (found.user, found.password) == ("shop@example", "p@ss/w:rd")


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp:///path",
        "smtp://mail.example/path",
        "smtp://mail.example:0x19",
        "smtp://mail.example:99999",
        "smtp://mail.example?tls=maybe",
        "smtps://mail.example?tls=off",
        "file://relative/folder",
        "file:",
        "smtp://[",
    ],
)
def test_what_cannot_be_used_is_refused(url):
    with pytest.raises(BadMailUrl):
        settings_of(url)


@given(st.text(max_size=60) | st.text("smtp:/[]@?%0a.", max_size=20).map("smtp://".__add__))
def test_whatever_is_written_there_is_used_or_refused(text):
    with suppress(BadMailUrl):
        assert settings_of(text).backend in {SMTP, FOLDER, CONSOLE}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_URL", "smtp://shop:sesame@mail.example/path"),
        ("EMAIL_FROM", "not an address"),
        ("EMAIL_FROM", "Shop <a@b.example>\r\nBcc: x@y.example"),
        ("PUBLIC_URL", "shop.example"),
        ("PUBLIC_URL", "https://user:pass@shop.example"),
        ("PUBLIC_URL", "https://shop.example/?x=1"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start_with_a_sentence_that_names_it(tmp_path, name, value):
    with pytest.raises(BadSetting) as refused:
        read({"STATE_DIR": str(tmp_path), name: value})

    assert str(refused.value).startswith(f"{name}=")
    assert "sesame" not in str(refused.value)


def test_links_lead_to_where_the_shop_answers_unless_it_is_said_otherwise(tmp_path):
    assert read({"STATE_DIR": str(tmp_path), "PORT": "8123"}).public_url == "http://127.0.0.1:8123"
    assert (
        read({"STATE_DIR": str(tmp_path), "PUBLIC_URL": "https://shop.example/"}).public_url == "https://shop.example"
    )
