"""What the domains promise one another: as the code says it, as it is committed, and what lies between."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from config.subscriptions import EVENTS
from contracts._base import ContractError, DeadlineExceeded, Rejected, Superseded, Unavailable
from runtime.calls.routing import protocol_of
from runtime.compatibility import EMPTY, Contract, Difference, Snapshot, compare, snapshot, text_of

__all__ = ["Drift", "UnreadableSchema", "committed", "drift", "promised", "write"]

_ANYWHERE: tuple[type[ContractError], ...] = (Rejected, Unavailable, DeadlineExceeded, Superseded)
"""What every call may answer."""


class UnreadableSchema(ValueError):
    """A committed file is not a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """``stale`` names the files that are not what the code says, also where nobody would notice it on the wire."""

    differences: tuple[Difference, ...]
    stale: tuple[str, ...]


def promised() -> dict[str, Snapshot]:
    """Each domain's contract as the code says it, also of those that are not hosted here."""
    return {domain: snapshot(_contract(domain, path)) for domain, path in settings.CONTRACTS.items()}


def committed(folder: Path) -> dict[str, Snapshot]:
    """Each domain's contract as it was last written down. Raises UnreadableSchema."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.json"))}


def drift(folder: Path) -> Drift:
    """What the code says otherwise than the files. Raises UnreadableSchema."""
    old, new = committed(folder), promised()
    domains = sorted(old.keys() | new.keys())
    differences = [one for domain in domains for one in compare(domain, old.get(domain, EMPTY), new.get(domain, EMPTY))]
    stale = [f"{domain}.json" for domain in domains if _text(folder, domain) != _text_of(new.get(domain))]
    return Drift(differences=tuple(sorted(differences, key=lambda one: -one.verdict)), stale=tuple(stale))


def write(folder: Path) -> None:
    """Make the files what the code says. A domain that is gone takes its file along."""
    folder.mkdir(exist_ok=True, parents=True)
    new = promised()
    for path in folder.glob("*.json"):
        if path.stem not in new:
            path.unlink()
    for domain, found in new.items():
        (folder / f"{domain}.json").write_text(text_of(found), encoding="utf-8")


def _contract(domain: str, path: str) -> Contract:
    protocol = protocol_of(import_string(path))
    module = protocol.__module__
    declared = vars(sys.modules[module]).values()
    errors = [value for value in declared if isinstance(value, type) and issubclass(value, ContractError)]
    return Contract(
        domain=domain,
        protocol=protocol,
        events=[event for event in EVENTS if event.__module__ == module],
        errors=[*errors, *_ANYWHERE],
    )


def _read(path: Path) -> Snapshot:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableSchema(f"{path.name} is not JSON ({error}): restore it from the repository") from error
    if not isinstance(found, dict) or not found.keys() >= EMPTY.keys():
        raise UnreadableSchema(f"{path.name} is not a snapshot of a contract: restore it from the repository")
    return found


def _text(folder: Path, domain: str) -> str | None:
    path = folder / f"{domain}.json"
    return path.read_text(encoding="utf-8") if path.exists() else None


def _text_of(found: Snapshot | None) -> str | None:
    return None if found is None else text_of(found)
