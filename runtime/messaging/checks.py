"""``manage.py check``: the table of subscriptions and the handlers have to say the same."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from runtime.messaging.subscriptions import handlers_of, subscriptions


@register()
def handlers_match_subscriptions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for domain in settings.HOSTED_DOMAINS:
        wanted = {event.name for event in subscriptions().by_consumer.get(domain, ())}
        handled = handlers_of(domain).names
        for name in sorted(wanted - handled):
            found.append(Error(f"{domain} subscribes to {name} and has no handler for it", id="messaging.E001"))
        for name in sorted(handled - wanted):
            found.append(
                Error(
                    f"{domain} handles {name} and does not subscribe to it, so it would never arrive",
                    hint="add it to config/subscriptions.py",
                    id="messaging.E002",
                )
            )
    return found
