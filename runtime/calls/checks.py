"""``manage.py check`` compares each hosted service with its contract, and refuses to start where they differ."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from runtime.calls.routing import protocol_of
from runtime.calls.signatures import differences


@register()
def services_keep_their_contracts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(sentence, hint=f"compare it with contracts/{domain}.py", id="calls.E001")
        for domain in settings.HOSTED_DOMAINS
        for sentence in differences(
            protocol_of(import_string(settings.CONTRACTS[domain])), type(import_string(settings.SERVICES[domain]))
        )
    ]
