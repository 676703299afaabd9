"""
The one place that reads the environment.

Each setting is checked here, with a sentence that names the variable and the value. What is not set comes from the
servers that `make up` started (run.json and secrets.json under STATE_DIR); nothing else has a default that is secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from apps.payments.stripe_answers import NOT_HUNDREDTHS
from config.mail import BadMailUrl, MailSettings, mail_settings
from config.services import BadServiceUrl, ServiceSettings, service_settings
from config.stripe import BadStripeSetting, StripeSettings, stripe_settings
from runtime.databases.urls import BadDatabaseUrl, connection_settings, role_url, url_user
from runtime.embedded.state import read_run, secrets, state_dir
from runtime.http.counters import BadLimit, parse_limit

DOMAINS = ("users", "inventory", "payments", "orders")
"""In the order in which they may be set up; orders calls the other three."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class BadSetting(ValueError):
    """A setting in the environment cannot be used."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {wanted}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """All settings, checked. Durations are seconds."""

    state_dir: Path
    debug: bool
    allowed_hosts: tuple[str, ...]
    hosted_domains: tuple[str, ...]
    services: ServiceSettings
    databases: Mapping[str, str | None]
    owner_databases: Mapping[str, str | None]
    admin_databases: Mapping[str, str | None]
    broker_url: str | None
    cache_url: str | None
    secret_key: str
    jwt_signing_key: str | None
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
    web_threads: int
    inside_port: int | None
    public_url: str
    mail: MailSettings
    mail_from: str

    @property
    def databases_known(self) -> bool:
        return all(self.databases[domain] for domain in self.hosted_domains)


def read(environ: Mapping[str, str]) -> Environment:
    """Raises BadSetting."""
    folder = state_dir(environ)
    run: Mapping[str, Any] = read_run(folder) or {}
    own = _own_secrets(environ, folder)
    secret_key = own["SECRET_KEY"]
    hosted, provider = _domains(environ), _choice(environ, "PAYMENT_PROVIDER", ("sandbox", "stripe"))
    databases = {domain: _runtime_url(environ, run, domain, secret_key) for domain in DOMAINS}
    admins = {domain: _admin_url(environ, domain) for domain in DOMAINS}
    return Environment(
        state_dir=folder,
        debug=_flag(environ, "DEBUG"),
        allowed_hosts=_words(environ, "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
        hosted_domains=hosted,
        services=_services(environ),
        databases=databases,
        owner_databases={
            domain: (url := admins[domain] or databases[domain]) and role_url(url, f"{domain}_owner", secret_key)
            for domain in DOMAINS
        },
        admin_databases=admins,
        broker_url=_server(environ, "BROKER_URL", ("redis", "rediss", "amqp", "amqps")) or run.get("broker"),
        cache_url=_server(environ, "CACHE_URL", ("redis", "rediss")) or run.get("cache"),
        secret_key=secret_key,
        jwt_signing_key=own.get("JWT_SIGNING_KEY"),
        service_key=own["SERVICE_KEY"],
        webhook_secret=own["SANDBOX_WEBHOOK_SECRET"],
        webhook_url=_webhook_url(environ, run),
        payment_provider=provider,
        stripe=_stripe(environ, in_use=provider == "stripe" and "payments" in hosted),
        shop_currency=_currency(environ),
        payment_capture=_choice(environ, "PAYMENT_CAPTURE", ("order", "shipment")),
        order_budget=_duration(environ, "ORDER_BUDGET", "3s"),
        saga_patience=_duration(environ, "SAGA_PATIENCE", "1h"),
        provider_timeout=_duration(environ, "PROVIDER_TIMEOUT", "10s"),
        rate_limit_anonymous=_limit(environ, "RATE_LIMIT_ANONYMOUS", "100/15m"),
        rate_limit_user=_limit(environ, "RATE_LIMIT_USER", "600/1m"),
        trusted_proxies=_networks(environ, "TRUSTED_PROXIES"),
        publish_all=_flag(environ, "PUBLISH_ALL"),
        event_attempts=_whole(environ, "EVENT_ATTEMPTS", 6),
        event_retention=_duration(environ, "EVENT_RETENTION", "14d"),
        log_format=_choice(environ, "LOG_FORMAT", ("console", "json")),
        web_threads=_whole(environ, "WEB_THREADS", 8),
        inside_port=_port(environ, "INSIDE_PORT", "0") or None,
        public_url=_public_url(environ, run),
        mail=_mail(environ, folder),
        mail_from=_mail_from(environ),
    )


# --- One kind of value each -----------------------------------------------------------------------------------------


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
            return url if own and url_user(url) == domain else role_url(url, domain, secret_key)
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
    given = environ.get("PUBLIC_URL")
    if given and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", given):
        raise BadSetting("PUBLIC_URL", given, "it is an http or https address, as in https://shop.example")
    return (given or run.get("http") or f"http://127.0.0.1:{environ.get('PORT', '8000')}").rstrip("/")


def _mail(environ: Mapping[str, str], folder: Path) -> MailSettings:
    try:
        return mail_settings(environ.get("EMAIL_URL", ""), default_folder=folder / "mail")
    except BadMailUrl as error:
        # There may be a password in it.
        raise BadSetting("EMAIL_URL", "…", str(error)) from None


def _services(environ: Mapping[str, str]) -> ServiceSettings:
    try:
        return service_settings(environ, DOMAINS)
    except BadServiceUrl as error:
        raise BadSetting(error.name, error.value, error.wanted) from None


def _stripe(environ: Mapping[str, str], *, in_use: bool) -> StripeSettings:
    currency = _currency(environ)
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


def _domains(environ: Mapping[str, str]) -> tuple[str, ...]:
    words = _words(environ, "DOMAINS", ",".join(DOMAINS))
    for word in words:
        if word not in DOMAINS:
            raise BadSetting("DOMAINS", environ["DOMAINS"], f"{word!r} is none of {', '.join(DOMAINS)}")
    if not words:
        raise BadSetting("DOMAINS", environ["DOMAINS"], f"it names some of {', '.join(DOMAINS)}")
    return tuple(domain for domain in DOMAINS if domain in words)


def _words(environ: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, default).split(",") if word.strip())


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in {"", "0", "1", "true", "false", "yes", "no"}:
        raise BadSetting(name, environ[name], "say 1 or 0")
    return value in {"1", "true", "yes"}


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise BadSetting(name, value, "it is a whole number from 1")
    return int(value)


def _port(environ: Mapping[str, str], name: str, default: str) -> int:
    value = environ.get(name) or default
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise BadSetting(name, value, "it is a whole number up to 65535")
    return int(value)


def _server(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = environ.get(name)
    if value and value.partition("://")[0] not in schemes:
        raise BadSetting(name, "…", f"it begins with {', '.join(f'{scheme}://' for scheme in schemes)}")
    return value


def _limit(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    try:
        parse_limit(value)
    except BadLimit:
        raise BadSetting(name, value, "write count/time, as in 100/15m, or off") from None
    return value


def _networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    words = _words(environ, name, "")
    for word in words:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise BadSetting(name, environ[name], f"{word!r} is no address and no network, as in 10.0.0.0/8") from None
    return words


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise BadSetting(name, value, f"it is one of {', '.join(choices)}")
    return value


def _currency(environ: Mapping[str, str]) -> str:
    value = environ.get("SHOP_CURRENCY", "GBP")
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise BadSetting("SHOP_CURRENCY", value, "it is three capital letters, as in GBP")
    return value


def _duration(environ: Mapping[str, str], name: str, default: str) -> float:
    value = environ.get(name, default)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)
    if not found:
        raise BadSetting(name, value, "it is a number with ms, s, m, h or d, as in 3s")
    return float(found[1]) * _UNITS[found[2]]


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
