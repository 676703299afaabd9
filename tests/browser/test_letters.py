"""The pages behind the links in letters, in a real browser: pressing the button uses the token, and nobody sees it."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import pytest

from tests.shop import PASSWORD

pytestmark = pytest.mark.xdist_group("shop")

NEW = "an analytical engine"


class Reader:
    """A customer who reads the letters that come, and opens the links in them."""

    def __init__(self, shop: Any, browser: Any) -> None:
        self.shop = shop
        self.email = f"{uuid4()}@letters.example"
        body = {"email": self.email, "name": "Ada", "password": PASSWORD}
        self.id = shop.send("POST", "/api/users", body).body["id"]
        self.page = browser.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def link(self, subject: str) -> str:
        folder = self.shop.folder / "mail" / self.id

        def found() -> str:
            for file in folder.glob("*.eml"):
                letter = message_from_bytes(file.read_bytes(), policy=policy.default)
                if letter["Subject"] == subject and (link := re.search(r"http\S+#\S+", letter.get_content())):
                    return link[0]
            return ""

        self.shop.wait_until(found, limit=20)
        return found()

    def press(self, button: str) -> str:
        self.page.get_by_role("button", name=button).click()
        answer = self.page.get_by_role("status")
        self.shop.wait_until(answer.inner_text, limit=10)
        return str(answer.inner_text())


@pytest.fixture
def reader(shop: Any, browser: Any) -> Reader:
    return Reader(shop, browser)


def test_an_address_is_confirmed_by_the_button_and_not_by_opening_the_link(shop: Any, reader: Reader) -> None:
    link = reader.link("Confirm your e-mail address")
    reader.page.goto(link)
    token = shop.sign_in(reader.email)
    assert shop.send("GET", "/api/users/me", token=token).body["emailVerified"] is False

    assert reader.press("Confirm it") == "The address is confirmed."

    assert shop.send("GET", "/api/users/me", token=token).body["emailVerified"] is True
    secret = link.partition("#")[2]
    assert secret not in reader.page.url
    assert not [url for url in reader.asked if secret in url.partition("#")[0]]
    assert reader.complaints == []


def test_a_new_password_is_chosen_and_a_bad_one_is_explained(shop: Any, reader: Reader) -> None:
    shop.send("POST", "/api/users/password-reset", {"email": reader.email})
    reader.page.goto(reader.link("Choose a new password"))

    reader.page.get_by_label("New password").fill("password1")
    assert "too common" in reader.press("Change it")
    reader.page.get_by_label("New password").fill(NEW)
    reader.page.get_by_role("button", name="Change it").click()
    shop.wait_until(lambda: "is changed" in reader.page.get_by_role("status").inner_text(), limit=10)

    body = {"email": reader.email, "password": NEW}
    assert shop.send("POST", "/api/users/token", body).status == 200


def test_a_link_without_its_token_says_so(shop: Any, reader: Reader) -> None:
    reader.page.goto(reader.link("Confirm your e-mail address").partition("#")[0])

    assert "not complete" in reader.page.get_by_role("status").inner_text()
