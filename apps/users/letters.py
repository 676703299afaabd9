"""The letters that users gets, in plain text. No name stands in them: whoever opens an account chooses that freely."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from apps.users.models import Mail

VERIFY_EMAIL_PATH = "/api/users/verify-email"
PASSWORD_RESET_PATH = "/api/users/password-reset/confirm"  # noqa: S105 - an address

LIFETIMES = {Mail.VERIFY_EMAIL: timedelta(days=3), Mail.PASSWORD_RESET: timedelta(hours=1)}
"""How long the token in a letter is good, from the moment it is sent. A letter that is not here has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    subject: str
    text: str


def letter(kind: str, *, public_url: str, token: str) -> Letter:
    """
    The letter of this kind. A link carries its token behind ``#``, which no browser sends anywhere: not to a server,
    not into a log, not to whatever the page links to.
    """
    subject, text = _LETTERS[kind]
    return Letter(subject=subject, text=text.format(url=public_url, token=token))


_LETTERS = {
    Mail.VERIFY_EMAIL: (
        "Confirm your e-mail address",
        f"""\
Somebody, most likely you, has opened an account with this e-mail address or changed an account to it.

Open this to confirm that the address is yours. It is good for three days:

    {{url}}{VERIFY_EMAIL_PATH}#{{token}}

If it was not you, do nothing: the address stays unconfirmed.
""",
    ),
    Mail.PASSWORD_RESET: (
        "Choose a new password",
        f"""\
Somebody, most likely you, has forgotten the password of the account with this e-mail address.

Open this to choose a new one. It is good for one hour, and once:

    {{url}}{PASSWORD_RESET_PATH}#{{token}}

If it was not you, do nothing: the old password stays.
""",
    ),
    Mail.PASSWORD_CHANGED: (
        "Your password was changed",
        f"""\
The password of the account with this e-mail address was changed just now. Whoever was signed in was signed out.

If it was not you, choose a new one at once: ask for a letter by

    POST {{url}}{PASSWORD_RESET_PATH.removesuffix("/confirm")}
""",
    ),
    Mail.EMAIL_CHANGED: (
        "Your e-mail address was changed",
        """\
An account that had this e-mail address until now has another one.

If it was not you, write to us at once: somebody else may be in your account.
""",
    ),
}
