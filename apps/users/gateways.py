"""How mail leaves where no mail server is set: into files that only their owner reads, a folder for each account."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from contracts._base import new_id

_NOBODY = "unknown"


class AccountMail(EmailMessage):
    """A letter that knows whose it is, beside the address it goes to. The account's id is in no header."""

    user_id: UUID | None = None


class MailFolder(BaseEmailBackend):
    """
    Django's EMAIL_BACKEND without a mail server: ``<MAIL_FOLDER>/<account>/<letter>.eml``.

    Not the console: what a process prints is a log, and neither addresses nor tokens belong into one.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            folder = _folder() / str(getattr(message, "user_id", None) or _NOBODY)
            for path in (folder.parent, folder):
                path.mkdir(mode=0o700, exist_ok=True)
            file = folder / f"{_file_name(message)}.eml"
            file.touch(mode=0o600)
            file.write_bytes(message.message().as_bytes())
        return len(email_messages)


def forget(gone: Callable[[Iterable[UUID]], Iterable[UUID]]) -> None:
    """Remove the folders of accounts that are gone. ``gone`` picks them out of those that have a folder."""
    if not _folder().is_dir():
        return
    ids = [UUID(path.name) for path in _folder().iterdir() if re.fullmatch(r"[0-9a-f-]{36}", path.name)]
    for user_id in gone(ids):
        shutil.rmtree(_folder() / str(user_id), ignore_errors=True)


def _folder() -> Path:
    folder: Path = settings.MAIL_FOLDER
    return folder


def _file_name(message: EmailMessage) -> str:
    return re.sub(r"[^\w-]", "", message.extra_headers.get("Message-ID", "").partition("@")[0]) or str(new_id())
