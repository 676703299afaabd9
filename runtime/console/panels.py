"""What a record's page shows below its fields: tables, and the small marks that stand in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

__all__ = ["Panel", "badge", "code", "json_block", "link", "moment", "pretty", "short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    A table with a title, and a mark or an address beside it. ``empty`` is said where it has no rows. ``folded``: it is
    there for whoever opens it.
    """

    template: ClassVar[str] = "console/panel.html"

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "Nothing yet."
    aside: SafeString | str = ""
    address: str = ""
    folded: bool = False


_TONES = {
    "good": "success",
    "bad": "danger",
    "open": "warning",
    "news": "info",
    "plain": "default",
}


def badge(text: str, tone: str = "plain") -> SafeString:
    """A word in colour: ``good``, ``bad``, ``open``, ``news`` or ``plain``."""
    return render_to_string("unfold/helpers/label.html", {"text": text.replace("_", " "), "variant": _TONES[tone]})


def link(address: str, text: object) -> SafeString:
    return format_html('<a class="console-link" href="{}">{}</a>', address, text)


def code(text: object) -> SafeString:
    """An id, a key: something to copy."""
    return format_html('<span class="console-code">{}</span>', text)


def short(identity: object) -> SafeString:
    """The end of an id, which is what tells it from others of the same time; pointed at, it is shown whole."""
    return format_html('<span class="console-code" title="{0}">…{1}</span>', identity, str(identity)[-12:])


def json_block(text: str) -> SafeString:
    return format_html('<pre class="console-json">{}</pre>', text)


def pretty(value: object) -> SafeString:
    """Plain JSON, for people to read."""
    return json_block(json.dumps(value, indent=2, ensure_ascii=False))


def moment(at: datetime | str | None) -> str:
    """A time in UTC, to the second."""
    if at is None:
        return ""
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return date_format(when, "Y-m-d H:i:s")
