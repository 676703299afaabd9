"""
The one place that reads the environment.

Each setting is checked here, with a sentence that names the variable and the value. What is not set comes from the
servers that `make up` started (run.json and secrets.json under STATE_DIR); nothing else has a default that is secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apps.payments.stripe_answers import NOT_HUNDREDTHS
from config import values
from config.extracted import FILE, Extracted, read_extracted
from config.mail import BadMailUrl, MailSettings, mail_settings
from config.services import BadServiceUrl, ServiceSettings, service_settings
from config.stripe import BadStripeSetting, StripeSettings, stripe_settings
from config.topology import DOMAINS, BadTopology, Topology, groups_named
from config.values import BadSetting
from runtime.databases.urls import BadDatabaseUrl, connection_settings, has_password, role_url, url_user
from runtime.embedded.state import MARK, read_run, secrets, state_dir

__all__ = ["DOMAINS", "ENVIRONMENT", "BadSetting", "Environment", "asked_for", "django_database", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """All settings, checked. Durations are seconds."""

    state_dir: Path
    debug: bool
    allowed_hosts: tuple[str, ...]
    topology: Topology
    extracted: Extracted | None
    hosted_domains: tuple[str, ...]
    services: ServiceSettings
    databases: Mapping[str, str | None]
    owner_databases: Mapping[str, str | None]
    admin_databases: Mapping[str, str | None]
    given_databases: frozenset[str]
    broker_url: str | None
    cache_url: str | None
    secret_key: str
    jwt_signing_key: str | None
    jwks_url: str | None
    service_key: str
    webhook_secret: str
    webhook_url: str
    payment_provider: str
    stripe: StripeSettings
    shop_currency: str
    payment_capture: str
    order_budget: float
    saga_patience: float
    provider_timeout: float
    rate_limit_anonymous: str
    rate_limit_user: str
    trusted_proxies: tuple[str, ...]
    publish_all: bool
    event_attempts: int
    event_retention: float
    log_format: str
    traces_endpoint: str | None
    traces_sample: float
    traces_url: str | None
    web_threads: int
    inside_port: int | None
    probe_bind: tuple[str, int] | None
    public_url: str
    mail: MailSettings
    mail_from: str

    def database_named(self, domain: str) -> bool:
        """Whether the environment says where this domain's database is."""
        return domain in self.given_databases

    @property
    def databases_known(self) -> bool:
        return all(self.databases[domain] for domain in self.hosted_domains)


def read(environ: Mapping[str, str]) -> Environment:
    """Raises BadSetting."""
    folder = state_dir(environ)
    # A supervised process is told all that it may know; these files have everybody's.
    run: Mapping[str, Any] = {} if environ.get(MARK) else read_run(folder) or {}
    extracted = None if environ.get(MARK) else read_extracted(folder)
    if extracted is not None and not extracted.away:
        extracted = None
    environ = extracted.over(environ) if extracted else environ
    keys = _keys(environ, folder)
    hosted = _domains(environ)
    return Environment(
        state_dir=folder,
        hosted_domains=hosted,
        topology=_topology(environ, run, hosted, extracted),
        extracted=extracted,
        services=_services(environ, run),
        **keys,
        **_data(environ, run, keys["secret_key"]),
        **_shop(environ, hosted),
        **_events(environ),
        **_http(environ, run),
        webhook_url=_webhook_url(environ, run),
        mail=_mail(environ, folder),
        mail_from=_mail_from(environ),
        log_format=values.choice(environ, "LOG_FORMAT", ("console", "json")),
        **_traces(environ),
    )


# --- Some fields of Environment each --------------------------------------------------------------------------------


def _keys(environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    own = _own_secrets(environ, folder)
    return {
        "secret_key": own["SECRET_KEY"],
        "jwt_signing_key": own.get("JWT_SIGNING_KEY"),
        "jwks_url": values.address(environ, "JWKS_URL", "https://shop.example/.well-known/jwks.json"),
        "service_key": own["SERVICE_KEY"],
        "webhook_secret": own["SANDBOX_WEBHOOK_SECRET"],
    }


def _data(environ: Mapping[str, str], run: Mapping[str, Any], secret_key: str) -> dict[str, Any]:
    databases = {domain: _runtime_url(environ, run, domain, secret_key) for domain in DOMAINS}
    admins = {domain: _admin_url(environ, domain) for domain in DOMAINS}
    return {
        "databases": databases,
        "owner_databases": {
            domain: (url := admins[domain] or databases[domain]) and role_url(url, f"{domain}_owner", secret_key)
            for domain in DOMAINS
        },
        "admin_databases": admins,
        "given_databases": frozenset(
            domain for domain in DOMAINS if environ.get(f"{domain.upper()}_DATABASE_URL") or environ.get("DATABASE_URL")
        ),
        "broker_url": values.server(environ, "BROKER_URL", ("redis", "rediss", "amqp", "amqps")) or run.get("broker"),
        "cache_url": values.server(environ, "CACHE_URL", ("redis", "rediss")) or run.get("cache"),
    }


def _shop(environ: Mapping[str, str], hosted: tuple[str, ...]) -> dict[str, Any]:
    provider = values.choice(environ, "PAYMENT_PROVIDER", ("sandbox", "stripe"))
    return {
        "payment_provider": provider,
        "stripe": _stripe(environ, in_use=provider == "stripe" and "payments" in hosted),
        "shop_currency": values.currency(environ),
        "payment_capture": values.choice(environ, "PAYMENT_CAPTURE", ("order", "shipment")),
        "order_budget": values.duration(environ, "ORDER_BUDGET", "3s"),
        "saga_patience": values.duration(environ, "SAGA_PATIENCE", "1h"),
        "provider_timeout": values.duration(environ, "PROVIDER_TIMEOUT", "10s"),
    }


def _events(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "publish_all": values.flag(environ, "PUBLISH_ALL"),
        "event_attempts": values.whole(environ, "EVENT_ATTEMPTS", 6),
        "event_retention": values.duration(environ, "EVENT_RETENTION", "14d"),
    }


def _http(environ: Mapping[str, str], run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "debug": values.flag(environ, "DEBUG"),
        "allowed_hosts": values.words(environ, "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
        "rate_limit_anonymous": values.limit(environ, "RATE_LIMIT_ANONYMOUS", "100/15m"),
        "rate_limit_user": values.limit(environ, "RATE_LIMIT_USER", "600/1m"),
        "trusted_proxies": values.networks(environ, "TRUSTED_PROXIES"),
        "web_threads": values.whole(environ, "WEB_THREADS", 8),
        "inside_port": values.port(environ, "INSIDE_PORT", "0") or None,
        "probe_bind": values.bind(environ, "PROBE_BIND"),
        "public_url": _public_url(environ, run),
    }


# --- What takes more than a kind of value ---------------------------------------------------------------------------


def _own_secrets(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Secrets from the environment; what is missing is generated once, but only where nothing is a deployment's."""
    names = ("SECRET_KEY", "JWT_SIGNING_KEY", "SERVICE_KEY", "SANDBOX_WEBHOOK_SECRET")
    given = {name: environ[name] for name in names if environ.get(name)}
    if "SECRET_KEY" in given and "SERVICE_KEY" in given:
        return {"SANDBOX_WEBHOOK_SECRET": given["SERVICE_KEY"], **given}
    if any(name.endswith("DATABASE_URL") and value for name, value in environ.items()) and "SECRET_KEY" not in given:
        generated = folder / "secrets.json"
        if not generated.exists() and not environ.get("CI"):
            raise BadSetting("SECRET_KEY", "", "a deployment with its own database has to set it; nothing is guessed")
    return {**secrets(folder), **given}


def _runtime_url(environ: Mapping[str, str], run: Mapping[str, Any], domain: str, secret_key: str) -> str | None:
    name = f"{domain.upper()}_DATABASE_URL"
    own, shared = environ.get(name), environ.get("DATABASE_URL")
    try:
        if url := own or shared:
            connection_settings(url)
            complete = own and url_user(url) == domain and has_password(url)
            return url if complete else role_url(url, domain, secret_key)
    except ValueError as error:
        # Only our own words are repeated: others may quote a part of the password.
        wanted = str(error) if isinstance(error, BadDatabaseUrl) else "its host or port cannot be read"
        raise BadSetting(name if own else "DATABASE_URL", "…", wanted) from None
    known: dict[str, str] = run.get("databases", {})
    return known.get(domain)


def _admin_url(environ: Mapping[str, str], domain: str) -> str | None:
    own = environ.get(f"{domain.upper()}_DATABASE_URL")
    if own and url_user(own) != domain:
        return own
    return environ.get("DATABASE_URL")


def _webhook_url(environ: Mapping[str, str], run: Mapping[str, Any]) -> str:
    """Where the sandbox tells of payments that settle later."""
    base = run.get("http") or f"http://127.0.0.1:{environ.get('PORT', '8000')}"
    return environ.get("SANDBOX_WEBHOOK_URL") or f"{base}/api/payments/webhooks/sandbox"


def _public_url(environ: Mapping[str, str], run: Mapping[str, Any]) -> str:
    """Where people find us: what links in letters begin with."""
    given = values.address(environ, "PUBLIC_URL", "https://shop.example")
    return (given or run.get("http") or f"http://127.0.0.1:{environ.get('PORT', '8000')}").rstrip("/")


def _mail(environ: Mapping[str, str], folder: Path) -> MailSettings:
    try:
        return mail_settings(environ.get("EMAIL_URL", ""), default_folder=folder / "mail")
    except BadMailUrl as error:
        # There may be a password in it.
        raise BadSetting("EMAIL_URL", "…", str(error)) from None


def _topology(
    environ: Mapping[str, str], run: Mapping[str, Any], hosted: tuple[str, ...], extracted: Extracted | None
) -> Topology:
    """How all that runs here is grouped, which is not what this one process hosts."""
    if given := environ.get("TOPOLOGY"):
        return asked_for(given, hosted, extracted)
    if extracted is not None and set(hosted) == set(extracted.topology.domains):
        return extracted.topology
    groups = run.get("groups", {}).values()
    return Topology(tuple(tuple(group["domains"]) for group in groups)) if groups else Topology.single(hosted)


def asked_for(topology: str, hosted: tuple[str, ...] = DOMAINS, extracted: Extracted | None = None) -> Topology:
    """What TOPOLOGY says. Raises BadSetting."""
    if extracted is not None:
        found = extracted.topology
        # What it was before the move is no contradiction: the file goes on from there.
        if set(groups_named(topology)) in (set(found.groups), set(extracted.base.groups)):
            return found
        away = " and ".join(extracted.away)
        raise BadSetting(
            "TOPOLOGY", topology, f"{away} was extracted, and {FILE} says {found.name}: unset it, or absorb"
        )
    if hosted != DOMAINS:
        raise BadSetting("TOPOLOGY", topology, "DOMAINS says what one process hosts: set one of the two")
    try:
        return Topology.parse(topology)
    except BadTopology as error:
        raise BadSetting("TOPOLOGY", topology, str(error)) from None


def _services(environ: Mapping[str, str], run: Mapping[str, Any]) -> ServiceSettings:
    """The environment's, and of what runs here the others."""
    known = {domain: group["inside"] for group in run.get("groups", {}).values() for domain in group["domains"]}
    try:
        found = service_settings(environ, DOMAINS)
    except BadServiceUrl as error:
        raise BadSetting(error.name, error.value, error.wanted) from None
    return replace(found, urls={**known, **found.urls})


def _stripe(environ: Mapping[str, str], *, in_use: bool) -> StripeSettings:
    currency = values.currency(environ)
    if in_use and currency in NOT_HUNDREDTHS:
        raise BadSetting("SHOP_CURRENCY", currency, "Stripe does not count it in hundredths, as all prices here are")
    try:
        return stripe_settings(environ, in_use=in_use)
    except BadStripeSetting as error:
        raise BadSetting(error.name, error.value, error.wanted) from None


def _mail_from(environ: Mapping[str, str]) -> str:
    value = environ.get("EMAIL_FROM") or "Mitosis <shop@localhost>"
    if not re.fullmatch(r"[^<>@\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+", value):
        raise BadSetting("EMAIL_FROM", value, "it is an e-mail address, as in Shop <orders@shop.example>")
    return value


def _traces(environ: Mapping[str, str]) -> dict[str, Any]:
    collector = values.address(environ, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    url = environ.get("TRACES_URL") or None
    if url and not (url.startswith(("http://", "https://", "/")) and "{trace_id}" in url):
        raise BadSetting(
            "TRACES_URL", url, "it is an address with {trace_id} in it, as in http://jaeger/trace/{trace_id}"
        )
    return {
        # The specification's: a base, below which each kind of news has a path of its own.
        "traces_endpoint": f"{collector.rstrip('/')}/v1/traces" if collector else None,
        # Whoever has no collector looks for the one trace of the order before him, and it should be there.
        "traces_sample": values.share(environ, "TRACES_SAMPLE", "0.1" if collector else "1"),
        "traces_url": url,
    }


def _domains(environ: Mapping[str, str]) -> tuple[str, ...]:
    words = values.words(environ, "DOMAINS", ",".join(DOMAINS))
    for word in words:
        if word not in DOMAINS:
            raise BadSetting("DOMAINS", environ["DOMAINS"], f"{word!r} is none of {', '.join(DOMAINS)}")
    if not words:
        raise BadSetting("DOMAINS", environ["DOMAINS"], f"it names some of {', '.join(DOMAINS)}")
    return tuple(domain for domain in DOMAINS if domain in words)


def django_database(url: str | None) -> dict[str, Any]:
    """One alias of DATABASES. Without a URL it exists (checks and migrations need no server) but connects nowhere."""
    known: dict[str, Any] = connection_settings(url) if url else {"HOST": "127.0.0.1", "PORT": "1", "NAME": "unknown"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        **known,
        # A server that swallows packets must not hold a thread for two minutes. Seconds.
        "OPTIONS": {"connect_timeout": "3", **known.get("OPTIONS", {})},
    }


ENVIRONMENT = read(os.environ)
