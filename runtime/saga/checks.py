"""A process goes on as it was begun: code that lacks the definition of a run that has not ended must not start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import Error as DatabaseError
from django.db.models import Count

from runtime.saga.definition import known_definitions
from runtime.saga.models import SagaRun


@register(Tags.database)
def no_run_is_orphaned(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    hosted = [alias for alias in databases or () if alias in settings.HOSTED_DOMAINS]
    return [error for domain in hosted for error in _orphans(domain)]


def _orphans(domain: str) -> list[CheckMessage]:
    open_states = (*SagaRun.UNFINISHED, SagaRun.NEEDS_ATTENTION)
    rows = SagaRun.objects.using(domain).filter(state__in=open_states).order_by()
    try:
        found = list(rows.values_list("definition", "version").annotate(count=Count("id")))
    except DatabaseError:
        # Before the first migration there is no table, and nothing in it.
        return []
    return [
        Error(
            f"{count} runs of {name} version {version} in {domain} have not ended, and this code has no such process.",
            hint="keep the old class beside the new one until its last run has ended (manage.py sagas list)",
            id="saga.E001",
        )
        for name, version, count in found
        if (name, version) not in known_definitions(domain)
    ]
