"""Where mail goes, from one URL: a mail server, a folder, or the console."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FOLDER = "apps.users.gateways.MailFolder"
CONSOLE = "django.core.mail.backends.console.EmailBackend"

_PORTS = {"smtp": 587, "smtps": 465}


class BadMailUrl(ValueError):
    """This says nothing about where mail goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """As Django's EMAIL_* settings, and the folder that letters go to where there is no mail server."""

    backend: str
    folder: Path
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    ssl: bool = False
    tls: bool = False


def mail_settings(url: str, *, default_folder: Path) -> MailSettings:
    """
    From ``smtp://user:password@host:587`` (STARTTLS; ``?tls=off`` without), ``smtps://…:465``, ``file:///a/folder`` or
    ``console:``. Without a URL, the default folder. Raises BadMailUrl.
    """
    if not url:
        return MailSettings(backend=FOLDER, folder=default_folder)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadMailUrl("it is no URL") from None
    if parts.scheme == "console":
        return MailSettings(backend=CONSOLE, folder=default_folder)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return MailSettings(backend=FOLDER, folder=Path(unquote(parts.path)))
    if parts.scheme in _PORTS:
        return _server(parts, default_folder)
    raise BadMailUrl("it begins with smtp://, smtps://, file:/// or console:")


def _server(parts: SplitResult, folder: Path) -> MailSettings:
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise BadMailUrl("its port is a whole number up to 65535") from None
    if not parts.hostname or parts.path.strip("/"):
        raise BadMailUrl("it names a host, and no path behind it")
    if parts.query not in ("", "tls=off") or (parts.query and parts.scheme == "smtps"):
        raise BadMailUrl("behind it stands nothing but ?tls=off, and that behind smtp:// only")
    return MailSettings(
        backend=SMTP,
        folder=folder,
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ssl=parts.scheme == "smtps",
        tls=parts.scheme == "smtp" and not parts.query,
    )
