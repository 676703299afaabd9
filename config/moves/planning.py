"""
What a move is to be: from which database to which, and what holds after it. Refused with a sentence where it cannot
be.
"""

from __future__ import annotations

import re
import time
from uuid import uuid4

from config.environment import DOMAINS, Environment
from config.extracted import Away, Extracted, to_json
from config.moves.errors import (
    AlreadyExtracted,
    BadAddress,
    GatewayMissing,
    NoTarget,
    NotExtracted,
    SourceUnknown,
    UnknownDomain,
)
from config.services import BadServiceUrl, service_urls
from config.supervision.processes import named
from runtime.databases.urls import BadDatabaseUrl, connection_settings, without_password
from runtime.extraction.journal import Database, Move
from runtime.gateway.program import HaproxyMissing, haproxy


def extraction(settings: Environment, *, domain: str, database_url: str | None, service_url: str | None) -> Move:
    """Of a domain to this database, hosted by others where they have an address. Raises a kind of MoveRefused."""
    _require_known(domain)
    extracted = known(settings)
    if away := extracted.away.get(domain):
        raise AlreadyExtracted(domain=domain, where=without_password(away.database))
    if not database_url:
        raise NoTarget(domain=domain)
    _require_url(database_url)
    service = _service(domain, service_url)
    source = _home(settings, extracted, domain)
    move = _new_id()
    after = extracted.with_domain(domain, Away(database=database_url, service=service, left=source.url), move=move)
    if after.topology.is_split:
        _require_gateway(domain)
    return _move(move, "extract", domain, source=source, target=Database(url=database_url), after=after)


def absorption(settings: Environment, *, domain: str) -> Move:
    """Of an extracted domain back to where it came from. Raises a kind of MoveRefused."""
    _require_known(domain)
    extracted = known(settings)
    away = extracted.away.get(domain)
    if away is None:
        raise NotExtracted(domain=domain)
    move = _new_id()
    target = Database(url=away.left) if away.left else _embedded(extracted, domain)
    after = extracted.without_domain(domain, move=move)
    if after.topology.is_split:
        _require_gateway(domain)
    return _move(move, "absorb", domain, source=Database(url=away.database), target=target, after=after)


def known(settings: Environment) -> Extracted:
    """What was extracted until now; nothing, before the first time."""
    return settings.extracted or Extracted(base=settings.topology)


def _home(settings: Environment, extracted: Extracted, domain: str) -> Database:
    """Where a domain lives that was not extracted."""
    if domain not in extracted.base.domains:
        raise SourceUnknown(domain=domain, setting=f"{domain.upper()}_DATABASE_URL")
    if url := settings.admin_databases[domain]:
        return Database(url=url)
    if settings.database_named(domain):
        # The running role's login alone: it can neither make roles nor end sessions.
        raise SourceUnknown(domain=domain, setting=f"{domain.upper()}_DATABASE_URL")
    return _embedded(extracted, domain)


def _embedded(extracted: Extracted, domain: str) -> Database:
    base = extracted.base
    return Database(embedded=named("postgres", base.group_of(domain), of=len(base.groups)))


def _move(move: str, kind: str, domain: str, *, source: Database, target: Database, after: Extracted) -> Move:
    return Move(
        id=move, kind=kind, schema=domain, source=source, target=target, after=to_json(after), begun=time.time()
    )


def _new_id() -> str:
    return uuid4().hex[:12]


def _require_known(domain: str) -> None:
    if domain not in DOMAINS:
        raise UnknownDomain(domain=domain, known=", ".join(DOMAINS))


def _require_gateway(domain: str) -> None:
    try:
        haproxy()
    except HaproxyMissing as error:
        raise GatewayMissing(domain=domain, reason=str(error)) from None


def _require_url(url: str) -> None:
    try:
        login = connection_settings(url)
    except ValueError as error:
        # Others' words may quote a part of the password.
        wanted = str(error) if isinstance(error, BadDatabaseUrl) else "its host or port cannot be read"
        raise BadAddress(option="--database-url", value="…", wanted=wanted) from None
    if not re.fullmatch(r"[^\s]+", login["USER"]) or not login["HOST"]:
        raise BadAddress(option="--database-url", value="…", wanted="it names an administrator and a host")


def _service(domain: str, url: str | None) -> str | None:
    if not url:
        return None
    try:
        return service_urls({f"{domain.upper()}_URL": url}, [domain])[domain]
    except BadServiceUrl as error:
        raise BadAddress(option="--service-url", value=error.value, wanted=error.wanted) from None
