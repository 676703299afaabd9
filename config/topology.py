"""Which domains share their processes: a partition into groups, as in ``orders|payments|users,inventory``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc

DOMAINS = ("users", "inventory", "payments", "orders")
"""In the order in which they may be set up; orders calls the other three."""

type Group = tuple[str, ...]
"""The domains that are hosted together, in the order of DOMAINS."""


class BadTopology(ValueError):
    """A topology cannot be used. Never raised itself: raise one of its kinds. The docstring of each is its message."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class EmptyGroup(BadTopology):
    """a group names no domain: write groups with | between them and domains with a comma, as in
    orders|payments|users,inventory"""


class UnknownDomain(BadTopology):
    """{word!r} is none of {known}"""


class DomainTwice(BadTopology):
    """{domain} stands in it twice: each domain is hosted by one group"""


class DomainMissing(BadTopology):
    """{missing} {verb} in no group: each domain is hosted by one"""


@dataclass(frozen=True, slots=True)
class Topology:
    """
    The groups, each domain in one of them. Two are equal where the same domains are together.

    Groups stand in the order of their first domains. Make one of a text by ``parse``.
    """

    groups: tuple[Group, ...]

    @classmethod
    def parse(cls, text: str) -> Topology:
        """Of ``orders|payments|users,inventory``, also as ``name`` writes it. Raises a kind of BadTopology."""
        seen: set[str] = set()
        groups = []
        for words in _words(text):
            if not words:
                raise EmptyGroup
            for word in words:
                if word not in DOMAINS:
                    raise UnknownDomain(word=word, known=", ".join(DOMAINS))
                if word in seen:
                    raise DomainTwice(domain=word)
                seen.add(word)
            groups.append(_in_order(words))
        if missing := [domain for domain in DOMAINS if domain not in seen]:
            raise DomainMissing(missing=" and ".join(missing), verb="is" if len(missing) == 1 else "are")
        return cls(tuple(sorted(groups, key=lambda group: DOMAINS.index(group[0]))))

    @classmethod
    def single(cls, domains: Group = DOMAINS) -> Topology:
        """All of these in one group, as in a monolith."""
        return cls((_in_order(domains),))

    @property
    def name(self) -> str:
        """The same for all ways to write it down; ``parse`` reads it."""
        return "|".join(map(group_name, self.groups))

    @property
    def is_split(self) -> bool:
        return len(self.groups) > 1

    @property
    def domains(self) -> Group:
        return _in_order([domain for group in self.groups for domain in group])

    def group_of(self, domain: str) -> Group:
        """The group that hosts it. Raises KeyError for a domain that is in none."""
        for group in self.groups:
            if domain in group:
                return group
        raise KeyError(domain)


def groups_named(text: str) -> list[Group]:
    """The groups as they are written down; what is missing or unknown is left out."""
    return [_in_order(words) for words in _words(text)]


def group_name(group: Group) -> str:
    """``users+inventory``: what its processes carry in their names."""
    return "+".join(group)


def every_topology() -> tuple[Topology, ...]:
    """All partitions of the domains, the fewest groups first: fifteen for four domains."""
    found = [Topology(tuple(groups)) for groups in _partitions(DOMAINS)]
    return tuple(sorted(found, key=lambda topology: len(topology.groups)))


def _partitions(domains: Group) -> Iterator[list[Group]]:
    if not domains:
        yield []
        return
    first, rest = domains[0], domains[1:]
    for groups in _partitions(rest):
        yield [(first,), *groups]
        for place in range(len(groups)):
            joined = (first, *groups[place])
            yield [joined, *groups[:place], *groups[place + 1 :]]


def _words(text: str) -> list[list[str]]:
    """Of each part between two ``|``."""
    return [[word for word in re.split(r"[\s,+]+", part) if word] for part in text.split("|")]


def _in_order(words: list[str] | Group) -> Group:
    return tuple(domain for domain in DOMAINS if domain in words)
