"""
What `extract` has moved away, and where to: kept in STATE_DIR/topology.json, for everything that is started here.

The file is put over the environment before anything else is read, and over what the environment said before the move.
Where it says something else again, nothing starts: no setting may lead away from the data unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.topology import DOMAINS, Group, Topology, group_name
from config.values import BadSetting
from runtime.embedded.state import read_json, write_json

FILE = "topology.json"
JWKS_PATH = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """
    Where a domain is now. ``database`` is an administrator's URL; with a ``service`` it is hosted by others, and
    answers there. ``left`` is the administrator's URL of where it was; None where that is a server of our own.
    """

    database: str
    service: str | None = None
    left: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """``base`` is the topology before anything was extracted; ``move`` is the latest that changed this."""

    base: Topology
    away: Mapping[str, Away] = field(default_factory=dict)
    move: str = ""

    @property
    def topology(self) -> Topology:
        """The groups that run here: each without what was extracted from it, and each extracted domain by itself."""
        here = [tuple(domain for domain in group if domain not in self.away) for group in self.base.groups]
        alone = [(domain,) for domain, away in self.away.items() if away.service is None]
        groups: list[Group] = [group for group in (*here, *alone) if group]
        return Topology(tuple(sorted(groups, key=lambda group: DOMAINS.index(group[0]))))

    def with_domain(self, domain: str, away: Away, *, move: str) -> Extracted:
        return replace(self, away={**self.away, domain: away}, move=move)

    def without_domain(self, domain: str, *, move: str) -> Extracted:
        return replace(self, away={name: away for name, away in self.away.items() if name != domain}, move=move)

    # --- As settings --------------------------------------------------------------------------------------------------

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment with this put over it. Raises BadSetting where the two disagree."""
        told = dict(environ)
        for domain, away in self.away.items():
            name = f"{domain.upper()}_DATABASE_URL"
            # What it left is what the environment said before: old, and overruled.
            known = {_place(url) for url in (away.database, away.left) if url}
            if (given := environ.get(name)) and _place(given) not in known:
                raise BadSetting(name, "…", f"{domain} was extracted, and {FILE} names another database: unset it")
            told[name] = away.database
        return {**told, **self._addresses(environ)}

    def _addresses(self, environ: Mapping[str, str]) -> dict[str, str]:
        elsewhere = {domain: away.service for domain, away in self.away.items() if away.service}
        told = {f"{domain.upper()}_URL": url for domain, url in elsewhere.items()}
        if elsewhere and not environ.get("DOMAINS"):
            told["DOMAINS"] = ",".join(domain for domain in DOMAINS if domain not in elsewhere)
        if "users" in elsewhere and not environ.get("JWKS_URL"):
            told["JWKS_URL"] = elsewhere["users"].rstrip("/") + JWKS_PATH
        return told


def _place(url: str) -> tuple[str, str]:
    """Server and database: who enters says nothing of where."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2], parts.path


# --- The file ---------------------------------------------------------------------------------------------------------


def read_extracted(state: Path) -> Extracted | None:
    """None where nothing was extracted. Raises StateUnusable."""
    found = read_json(state / FILE)
    return from_json(found) if found else None


def write_extracted(state: Path, extracted: Extracted) -> None:
    """Replaced as a whole, for its owner only. Raises StateUnusable."""
    write_json(state / FILE, to_json(extracted))


def forget_extracted(state: Path) -> None:
    """Once nothing is away, what starts here is again what the settings say."""
    (state / FILE).unlink(missing_ok=True)


def to_json(extracted: Extracted) -> dict[str, Any]:
    return {
        "base": list(map(group_name, extracted.base.groups)),
        "extracted": {
            domain: {"database": away.database, "service": away.service, "left": away.left}
            for domain, away in extracted.away.items()
        },
        "groups": list(map(group_name, extracted.topology.groups)),
        "move": extracted.move,
    }


def from_json(found: Mapping[str, Any]) -> Extracted:
    return Extracted(
        base=Topology(tuple(tuple(name.split("+")) for name in found["base"])),
        away={domain: Away(**away) for domain, away in found["extracted"].items()},
        move=found["move"],
    )
