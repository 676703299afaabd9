"""What one page leaves to be said on the next, which another process may answer: a signed cookie, for the console."""

from __future__ import annotations

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse

__all__ = ["ConsoleMessages"]


class ConsoleMessages(CookieStorage):
    """Django's MESSAGE_STORAGE. Signed with SECRET_KEY, which all processes share; sent to no address of the API."""

    def _update_cookie(self, encoded_data: str, response: HttpResponse) -> None:
        super()._update_cookie(encoded_data, response)  # type: ignore[misc]  # Django's own, unknown to its types
        if self.cookie_name in response.cookies:
            response.cookies[self.cookie_name]["path"] = settings.CONSOLE_PATH
