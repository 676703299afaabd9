"""
Whether this process lives, and whether what it needs answers, in the form the probes of an orchestrator read.

``live`` asks nobody: a process is not killed because its database is down. ``Started`` asks nobody either: it loads
what the process is made of. ``Ready`` asks the database of each hosted domain (or of one) and the cache, all at the
same time, for two seconds at most; no neighbour, since what is wrong there is not mended here. What fails is named.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from django.utils.timezone import now
from django.views.decorators.http import require_safe
from health_check.base import HealthCheck, HealthCheckResult
from health_check.checks import Database
from health_check.contrib.redis import Redis
from health_check.exceptions import HealthCheckException, ServiceUnavailable
from health_check.views import HealthCheckView
from redis.asyncio import Redis as AsyncRedis

__all__ = ["Ready", "Started", "live"]

log = logging.getLogger(__name__)

_PATIENCE = datetime.timedelta(seconds=1)
"""What a check may take by itself; the library waits a second longer before it gives a check up."""

_PROBES = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")
"""Kept, so that a probe which hangs in a dead connection does not hold up the answer that says so."""


@dataclasses.dataclass
class DomainDatabase(Database):  # type: ignore[misc]  # the library is not typed
    timeout = _PATIENCE

    def run(self) -> None:
        try:
            super().run()
            missing = missing_migration(self.alias)
        except (HealthCheckException, DatabaseError) as error:
            # The driver's words name hosts and ports: they are for the log, not for whoever asks.
            log.warning("the database of %s does not answer: %s", self.alias, error.__cause__ or error)
            raise ServiceUnavailable("The database does not answer.") from error
        if missing:
            raise ServiceUnavailable(f"The database lacks {missing}: run manage.py migrate.")


@dataclasses.dataclass
class Loaded(HealthCheck):  # type: ignore[misc]
    """What answers for one domain can be loaded."""

    domain: str = ""

    def run(self) -> None:
        try:
            import_string(settings.SERVICES[self.domain])
        except Exception as error:
            log.exception("%s cannot be loaded", self.domain)
            raise ServiceUnavailable("The code cannot be loaded.") from error


@dataclasses.dataclass
class CacheServer(Redis):  # type: ignore[misc]
    timeout = _PATIENCE

    async def run(self) -> None:
        try:
            await super().run()
        except Exception as error:
            log.warning("the cache does not answer: %s", error)
            raise ServiceUnavailable("The cache does not answer.") from error


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 for as long as the process can answer at all."""
    return _answer({}, healthy=True)


class Ready(HealthCheckView):  # type: ignore[misc]
    """
    200 where everything that was asked answers, 503 where something does not.

    With ``domain`` in the address: what that one needs, a 404 where it is not hosted here.
    """

    http_method_names = ["get", "head", "options"]

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = list(self.get_checks())
        if not asked:
            raise Http404("No such domain is hosted here.")
        results = await asyncio.gather(*(check.get_result(_PROBES) for check in asked))
        checks = {_name(result.check): _described(result) for result in results}
        return _answer(checks, healthy=not any(result.error for result in results))

    def get_checks(self) -> Iterator[HealthCheck]:
        only = self.kwargs.get("domain")
        domains = [domain for domain in settings.HOSTED_DOMAINS if only in (None, domain)]
        for domain in domains:
            yield DomainDatabase(alias=domain)
        if domains and settings.CACHE_URL:
            yield CacheServer(client_factory=_cache_client)


class Started(Ready):
    """200 once all that the process is made of is loaded. It stays so: no server that is away makes it start again."""

    def get_checks(self) -> Iterator[HealthCheck]:
        for domain in settings.HOSTED_DOMAINS:
            yield Loaded(domain=domain)


# --- Migrations -----------------------------------------------------------------------------------------------------

_UP_TO_DATE: set[str] = set()
"""Databases that were found to have all migrations: nobody takes one back under a process that runs."""


def missing_migration(alias: str) -> str | None:
    """The first migration of this domain's that its database lacks. One that has more than we know lacks nothing."""
    if alias in _UP_TO_DATE:
        return None
    with connections[alias].temporary_connection():
        applied = MigrationRecorder(connections[alias]).applied_migrations()
    missing = [f"{label}.{name}" for label, name in _migrations_of(alias) if (label, name) not in applied]
    if not missing:
        _UP_TO_DATE.add(alias)
    return missing[0] if missing else None


def _migrations_of(alias: str) -> Iterator[tuple[str, str]]:
    """By the names of their files: to import them all would take longer than a probe may."""
    for package in settings.INSTALLED_APPS:
        label = package.rpartition(".")[2]
        spec = find_spec(f"{package}.migrations") if label in (*settings.RUNTIME_APPS, alias) else None
        for folder in (spec and spec.submodule_search_locations) or ():
            yield from ((label, file.stem) for file in sorted(Path(folder).glob("[0-9]*.py")))


def _answer(checks: dict[str, Any], *, healthy: bool) -> HttpResponse:
    answer = {"status": _word(healthy), "timestamp": now().isoformat(), "checks": checks}
    response = JsonResponse(answer, status=200 if healthy else 503)
    response._has_been_logged = True  # type: ignore[attr-defined]  # a probe comes every second: our own line is enough
    return response


def _cache_client() -> AsyncRedis:
    return AsyncRedis.from_url(settings.CACHE_URL or "", socket_connect_timeout=1, socket_timeout=1)


def _name(check: HealthCheck) -> str:
    match check:
        case Database():
            return f"database-{check.alias}"
        case Loaded():
            return f"code-{check.domain}"
    return "cache"


def _described(result: HealthCheckResult) -> dict[str, Any]:
    """``duration`` is in milliseconds, as in "12ms"."""
    described = {"status": _word(not result.error), "duration": f"{result.time_taken * 1000:.0f}ms"}
    return {**described, "error": result.error.message} if result.error else described


def _word(healthy: bool) -> str:
    return "healthy" if healthy else "unhealthy"
