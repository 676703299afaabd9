"""Who hosts what, where it answers, on which database, and which calls and events go between: for people to read."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from config.environment import DOMAINS, Environment
from config.subscriptions import SUBSCRIPTIONS
from config.topology import Group, group_name
from runtime.embedded.state import RunFile

APPS = Path(__file__).resolve().parent.parent / "apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A group. ``databases`` are without passwords; ``processes`` are names. Empty is not known here."""

    domains: Group
    http: str
    inside: str
    databases: Mapping[str, str]
    processes: tuple[str, ...]

    @property
    def name(self) -> str:
        return group_name(self.domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """What one domain asks another, or hears of it; ``crosses`` tells that they are in different groups."""

    source: str
    target: str
    names: tuple[str, ...]
    crosses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    topology: str
    places: tuple[Place, ...]
    calls: tuple[Tie, ...]
    events: tuple[Tie, ...]


def whereabouts(settings: Environment, run: RunFile | None) -> Whereabouts:
    """Of what runs here, or else as the settings say."""
    groups = _groups(settings)
    home = {domain: group for group in groups for domain in group}

    def tie(source: str, target: str, names: tuple[str, ...]) -> Tie:
        return Tie(source=source, target=target, names=names, crosses=home.get(source) != home.get(target))

    return Whereabouts(
        topology="|".join(map(group_name, groups)),
        places=tuple(_place(group, settings, run) for group in groups),
        calls=tuple(tie(*pair, names) for pair, names in sorted(calls_in_code().items())),
        events=tuple(tie(*pair, names) for pair, names in sorted(_events().items())),
    )


def _groups(settings: Environment) -> tuple[Group, ...]:
    """Ours, then those of the others, of whom those at one address are together."""
    others: dict[str, list[str]] = defaultdict(list)
    for domain in DOMAINS:
        if domain not in settings.topology.domains and (url := settings.services.urls.get(domain)):
            others[url].append(domain)
    return (*settings.topology.groups, *map(tuple, others.values()))


def _place(group: Group, settings: Environment, run: RunFile | None) -> Place:
    answers = run.get("groups", {}).get(group_name(group)) if run else None
    urls = {settings.services.urls[domain] for domain in group if domain in settings.services.urls}
    processes = run["processes"] if run else []
    return Place(
        domains=group,
        http=answers["http"] if answers else "",
        inside=answers["inside"] if answers else ", ".join(sorted(urls)),
        databases={domain: without_password(url) for domain in group if (url := settings.databases[domain])},
        # Of the servers, only those that are this group's alone.
        processes=tuple(each["name"] for each in processes if set(each["domains"]) <= set(group)),
    )


def without_password(url: str) -> str:
    """The same server, database and role."""
    parts = urlsplit(url)
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


def _events() -> dict[tuple[str, str], tuple[str, ...]]:
    """Who tells whom what."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for consumer, events in SUBSCRIPTIONS.items():
        for event in events:
            found[event.__module__.rpartition(".")[2], consumer].append(event.__name__)
    return {pair: tuple(sorted(names)) for pair, names in found.items()}


@cache
def calls_in_code() -> dict[tuple[str, str], tuple[str, ...]]:
    """Which domain's code asks which other for what: each ``resolve(REF).method`` below ``apps/``."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for domain in DOMAINS:
        for path in sorted((APPS / domain).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and (callee := _resolved(node.value)) in DOMAINS:
                    found[domain, callee].add(node.attr)
    return {pair: tuple(sorted(names)) for pair, names in found.items() if pair[0] != pair[1]}


def _resolved(node: ast.expr) -> str:
    """The domain of ``resolve(REF)``; Refs are named like their domains."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "resolve":
        (argument,) = node.args
        return argument.id.lower() if isinstance(argument, ast.Name) else ""
    return ""
