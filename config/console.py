"""The console's face: its name, its colour, and the way through all domains' pages, wherever each is hosted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

__all__ = ["UNFOLD"]

type _Page = tuple[str, str, str]
"""A title, an icon's name, and the last part of the address."""

_MACHINERY: tuple[_Page, ...] = (
    ("Events told", "outbox", "outboxmessage"),
    ("Events heard", "inbox", "inboxmessage"),
    ("Dead letters", "report", "deadletters"),
    ("Processes", "account_tree", "sagarun"),
    ("Workers and relays", "cardiology", "pulse"),
    ("Audit", "verified_user", "auditentry"),
)

_WHOLE: tuple[_Page, ...] = (
    ("Topology", "hub", "topology"),
    ("Traces", "waterfall_chart", "traces"),
    ("Runbook", "menu_book", "runbook"),
)
"""What is of no one domain."""

_DOMAINS: tuple[tuple[str, tuple[_Page, ...]], ...] = (
    ("orders", (("Orders", "shopping_bag", "order"), *_MACHINERY)),
    ("payments", (("Payments", "payments", "payment"), ("Money moved", "swap_horiz", "movement"), *_MACHINERY)),
    (
        "inventory",
        (
            ("Products", "inventory_2", "product"),
            ("Stock moved", "swap_vert", "stockmovement"),
            ("Reservations", "bookmark", "reservation"),
            ("Imports", "upload_file", "catalogueimport"),
            *_MACHINERY,
        ),
    ),
    ("users", (("Accounts", "group", "user"), *_MACHINERY, ("Settings", "tune", "dynamicvalue"))),
)

_PINE = {
    # Dark enough for white text on it (WCAG AA from 600 on).
    "50": "oklch(98.4% .014 180.72)",
    "100": "oklch(95.3% .04 180.8)",
    "200": "oklch(90% .07 181)",
    "300": "oklch(82% .1 182)",
    "400": "oklch(72% .11 183)",
    "500": "oklch(60% .1 185)",
    "600": "oklch(50% .09 186.4)",
    "700": "oklch(43.7% .078 188.2)",
    "800": "oklch(38.6% .063 188.4)",
    "900": "oklch(33% .052 190)",
    "950": "oklch(27.7% .046 192.5)",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The same in every process: addresses do not depend on who hosts a domain."""
    first_page = {"title": "Overview", "icon": "monitoring", "link": "/admin/", "active": request.path == "/admin/"}
    return [
        {"items": [first_page, *(_of_the_whole(request, page) for page in _WHOLE)]},
        *(
            {
                "title": domain.capitalize(),
                "collapsible": True,
                "items": [_item(request, domain, page) for page in pages],
            }
            for domain, pages in _DOMAINS
        ),
    ]


def _of_the_whole(request: HttpRequest, page: _Page) -> dict[str, Any]:
    title, icon, name = page
    address = f"/admin/{name}/"
    return {"title": title, "icon": icon, "link": address, "active": request.path.startswith(address)}


def _item(request: HttpRequest, domain: str, page: _Page) -> dict[str, Any]:
    title, icon, name = page
    address = f"/admin/{domain}/{name}/"
    return {
        "title": title,
        "icon": icon,
        "link": address,
        "active": request.path.startswith(address),
        "permission": _may_view(domain),
    }


def _may_view(domain: str) -> Callable[[HttpRequest], bool]:
    return lambda request: bool(request.user.has_perm(f"{domain}.view_any"))


def environment(request: HttpRequest) -> list[str]:
    """What an operator has to know before a click: whether money is real here."""
    from django.conf import settings

    return ["Sandbox", "info"] if settings.PAYMENT_PROVIDER == "sandbox" else ["Real money", "danger"]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Mitosis",
    "SITE_HEADER": "Mitosis",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/favicon.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": environment,
    "COLORS": {"primary": _PINE},
    "STYLES": [lambda request: static("console/console.css")],
    "SCRIPTS": [lambda request: static("console/console.js")],
    "SIDEBAR": {"navigation": navigation},
}
