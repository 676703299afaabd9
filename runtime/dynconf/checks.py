"""``manage.py check`` looks at what is declared, and refuses to start with a default that cannot be used."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from contracts._base import Rejected
from runtime.dynconf.declared import Declared


@register()
def what_is_declared_can_be_used(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    keys = Counter(each.key for each in settings.DYNAMIC_VALUES)
    found = [Error(f"{key} is declared {count} times", id="dynconf.E001") for key, count in keys.items() if count > 1]
    return [*found, *(error for each in settings.DYNAMIC_VALUES for error in _faults(each))]


def _faults(each: Declared) -> list[CheckMessage]:
    texts = [text for text in (each.default, each.least, each.most) if text is not None]
    found: list[CheckMessage] = []
    if (each.default is None) == (each.setting is None):
        found.append(Error(f"{each.key} has a default of its own or a setting's: one of the two", id="dynconf.E002"))
    if each.setting is not None and not hasattr(settings, each.setting):
        found.append(Error(f"{each.key}: there is no setting {each.setting}", id="dynconf.E003"))
    for text in texts:
        try:
            each.parse(text)
        except (Rejected, ValueError) as error:
            found.append(Error(f"{each.key}: {error}", id="dynconf.E004"))
    return found
