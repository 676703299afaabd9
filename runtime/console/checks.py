"""``manage.py check`` looks at the console's pages, which are loaded with the addresses and not before."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.checks import CheckMessage, register
from django.urls import get_resolver


@register()
def pages_keep_djangos_rules(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    _ = get_resolver().url_patterns
    return list(admin.site.check(None))
