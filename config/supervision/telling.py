"""What each process is told: what is its own, where its neighbours answer, and nothing else of theirs."""

from __future__ import annotations

from collections.abc import Mapping

from config.environment import Environment
from config.extracted import JWKS_PATH
from config.supervision.commands import MEMORY
from config.supervision.doors import HOST, Doors
from config.supervision.processes import ProcessSpec
from config.topology import group_name

OWN = {
    "users": ("JWT_SIGNING_KEY", "EMAIL_URL"),
    "payments": ("SANDBOX_WEBHOOK_SECRET", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"),
}
"""Secrets that one domain alone has a use for."""

_FOR_PREPARATION = ("DATABASE_URL", "TOPOLOGY", "OPERATOR_EMAIL", "OPERATOR_PASSWORD", "PROBE_BIND")
"""An administrator's, or about all processes together, or a door that only one of them could have."""


def told_to_serve(
    spec: ProcessSpec, *, given: Mapping[str, str], settings: Environment, doors: Doors
) -> dict[str, str]:
    """
    The environment of a web server, worker or relay.

    ``given`` is what the environment said, with our servers; ``settings`` are all settings, of all domains.
    """
    kept = {name: value for name, value in given.items() if not _is_anothers(name, spec.domains)}
    return {
        "PUBLIC_URL": doors.front,
        **kept,
        **MEMORY,
        "PYTHONUNBUFFERED": "1",
        "DOMAINS": ",".join(spec.domains),
        **_secrets(spec, settings),
        **{_database(domain): url for domain in spec.domains if (url := settings.databases[domain])},
        **_addresses(spec, settings, doors),
    }


def _is_anothers(name: str, domains: tuple[str, ...]) -> bool:
    owners = [owner for owner, names in OWN.items() if name in names]
    return name.endswith("_DATABASE_URL") or name in _FOR_PREPARATION or bool(owners and owners[0] not in domains)


def _secrets(spec: ProcessSpec, settings: Environment) -> dict[str, str]:
    """All of them, so that none is looked up in a file where everybody's stand."""
    found = {"SECRET_KEY": settings.secret_key, "SERVICE_KEY": settings.service_key}
    if "users" in spec.domains and settings.jwt_signing_key:
        found["JWT_SIGNING_KEY"] = settings.jwt_signing_key
    if "payments" in spec.domains:
        found["SANDBOX_WEBHOOK_SECRET"] = settings.webhook_secret
    return found


def _addresses(spec: ProcessSpec, settings: Environment, doors: Doors) -> dict[str, str]:
    """Its own ports, and where the others answer. What the environment names is left as it is."""
    found: dict[str, str] = {}
    for group in doors.groups():
        if group == spec.domains:
            ports = {"PORT": doors.port(group, "public"), "INSIDE_PORT": doors.port(group, "inside")}
            found |= {name: str(port) for name, port in ports.items()}
            continue
        inside = doors.url(group, "inside")
        found |= {f"{domain.upper()}_URL": settings.services.urls.get(domain, inside) for domain in group}
        if "users" in group:
            # One of several is enough for keys, which are kept.
            users = settings.services.urls.get("users", inside).partition(",")[0]
            found["JWKS_URL"] = settings.jwks_url or users + JWKS_PATH
    if len(doors.groups()) > 1:
        found |= _behind_a_gateway(settings)
    # A worker and a relay have no door of their own: their group's web server shows what they have counted as well.
    found["PROMETHEUS_MULTIPROC_DIR"] = str(settings.state_dir / "metrics" / group_name(spec.domains))
    return found


def _behind_a_gateway(settings: Environment) -> dict[str, str]:
    """It and the neighbours call this machine, whatever the shop is called outside; it alone counts who is nobody."""
    return {
        "ALLOWED_HOSTS": ",".join(dict.fromkeys((*settings.allowed_hosts, HOST))),
        "TRUSTED_PROXIES": ",".join(dict.fromkeys((*settings.trusted_proxies, HOST))),
        "RATE_LIMIT_ANONYMOUS": "off",
    }


def _database(domain: str) -> str:
    return f"{domain.upper()}_DATABASE_URL"
