"""Who hosts what, where it answers, on which database, and which calls and events go between: for people to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from config.calls import CALLERS, EVERY
from config.environment import DOMAINS, ENVIRONMENT, Environment
from config.subscriptions import SUBSCRIPTIONS
from config.topology import Group, group_name
from runtime.databases.urls import without_password
from runtime.embedded.state import RunFile, read_run


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
        calls=tuple(tie(*pair, names) for pair, names in sorted(calls_of_domains().items())),
        events=tuple(tie(*pair, names) for pair, names in sorted(events_of_domains().items())),
    )


def known_here() -> Whereabouts:
    """Of this process's own settings, and of what a supervisor has written down where one has started it."""
    return whereabouts(ENVIRONMENT, read_run(ENVIRONMENT.state_dir))


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


def events_of_domains() -> dict[tuple[str, str], tuple[str, ...]]:
    """Who tells whom what."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for consumer, events in SUBSCRIPTIONS.items():
        for event in events:
            found[event.__module__.rpartition(".")[2], consumer].append(event.name)
    return {pair: tuple(sorted(names)) for pair, names in found.items()}


def calls_of_domains() -> dict[tuple[str, str], tuple[str, ...]]:
    """Which domain's code asks which other for what; not what runtime and the commands ask from wherever they run."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for callee, methods in CALLERS.items():
        for method, callers in methods.items():
            for caller in () if callers == EVERY else callers:
                found[caller, callee].append(method)
    return {pair: tuple(sorted(names)) for pair, names in found.items()}
