"""Who hosts what, and what goes between the domains: drawn, with how often, as all processes have counted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from runtime.console.drawing import Kind, Node, Picture, Tie, draw
from runtime.console.panels import Panel, badge
from runtime.console.traces import require_sight
from runtime.console.traffic import NOT_ASKED, Between, Counts, Traffic, asked_from_everywhere, traffic_of
from runtime.resilience import State
from runtime.resilience.figures import neighbours
from runtime.telemetry.rates import shared_rates

__all__ = ["Group", "groups_of", "topology_page"]

_WINDOWS = (1, 5, 15)
"""Minutes."""
_USUAL = 5
_LONGEST_TITLE = 44
_EXACTLY = 10
"""A minute: less than this is told to the tenth."""
_NOT_ASKED_NOW = "not asked now"
_JUST_NOW = 30
"""Seconds: a neighbour that a call was kept from within these is shown as not asked."""


class Place(Protocol):
    """A group, as config knows it; empty is not known."""

    @property
    def domains(self) -> tuple[str, ...]: ...
    @property
    def http(self) -> str: ...
    @property
    def inside(self) -> str: ...
    @property
    def processes(self) -> tuple[str, ...]: ...


class Whereabouts(Protocol):
    @property
    def places(self) -> tuple[Place, ...]: ...
    @property
    def calls(self) -> tuple[Between, ...]: ...
    @property
    def events(self) -> tuple[Between, ...]: ...


# --- Who is where -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Domains that share their processes, as far as is known here. ``here``: the process that shows the page is one."""

    domains: tuple[str, ...]
    http: str = ""
    inside: str = ""
    processes: tuple[str, ...] = ()
    here: bool = False

    @property
    def title(self) -> str:
        where = "here" if self.here else self.inside.replace("http://", "") or "address not known"
        whole = f"{'+'.join(self.domains)} · {where}"
        return whole if len(whole) <= _LONGEST_TITLE else f"{whole[: _LONGEST_TITLE - 1]}…"


def groups_of(found: Whereabouts, domains: Sequence[str], counts: Counts) -> list[Group]:
    """
    Of what config knows. Whoever is found by discovery stands with those who have counted with him of late, or alone.
    """
    groups = [
        Group(
            domains=place.domains,
            http=place.http,
            inside=place.inside,
            processes=place.processes,
            here=set(place.domains) == set(settings.HOSTED_DOMAINS),
        )
        for place in found.places
    ]
    left = set(domains) - {domain for group in groups for domain in group.domains}
    for seen in sorted({tuple(name[0].split("+")) for name in counts}, key=len, reverse=True):
        if left.issuperset(seen):
            groups.append(Group(domains=seen))
            left -= set(seen)
    return groups + [Group(domains=(domain,)) for domain in domains if domain in left]


def _not_asked(of_late: Counts) -> frozenset[str]:
    """Whom processes of this site leave alone now, and whom anybody's calls were kept from a moment ago."""
    here = {each.callee for each in neighbours() if each.state is State.OPEN}
    return frozenset(here | {name[2] for name in of_late if name[1:2] == ("call",) and name[-1] == NOT_ASKED})


# --- The page ---------------------------------------------------------------------------------------------------------


@require_safe
def topology_page(request: HttpRequest) -> HttpResponse:
    """Any process can show it: each adds what it counts to one cache. Without the cache it shows who is where."""
    require_sight(request)
    asked = request.GET.get("minutes", "")
    minutes = int(asked) if asked in map(str, _WINDOWS) else _USUAL
    counts, of_late, covered, trouble = _counted(minutes)
    found = cast(Whereabouts, import_string(settings.CONSOLE_TOPOLOGY)())
    groups = groups_of(found, settings.DOMAIN_ALIASES, counts)
    calls = [(tie, traffic_of(counts, "call", tie)) for tie in found.calls]
    events = [(tie, traffic_of(counts, "event", tie)) for tie in found.events]
    shown = _Shown(groups=groups, not_asked=_not_asked(of_late), minutes=covered / 60)
    context = {
        **admin.site.each_context(request),
        "title": "Topology",
        "topology": " | ".join(" + ".join(group.domains) for group in groups),
        "here": " + ".join(settings.HOSTED_DOMAINS),
        "minutes": minutes,
        "windows": _WINDOWS,
        "trouble": trouble,
        "not_asked": [domain for domain in settings.DOMAIN_ALIASES if domain in shown.not_asked],
        "picture": shown.picture(calls, events),
        "beside": [shown.calls(calls), shown.events(events)],
        "below": [shown.hosting(), shown.of_runtime(asked_from_everywhere(counts, found.calls))],
    }
    return TemplateResponse(request, "console/topology.html", context)


def _counted(minutes: int) -> tuple[Counts, Counts, float, str]:
    """Of the window and of just now, how many seconds the window has, and why nothing is known."""
    rates = shared_rates()
    if rates is None:
        return {}, {}, 0.0, "How often is not known: there is no cache in which processes add up what they count."
    try:
        of_late, _ = rates.read(_JUST_NOW)
        counts, covered = rates.read(minutes * 60)
    except RedisError:
        return {}, {}, 0.0, "How often is not known: the cache, where processes add up what they count, is away."
    return counts, of_late, covered, ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """``minutes`` that were looked at; 0 where nothing is known of them."""

    groups: Sequence[Group]
    not_asked: frozenset[str]
    minutes: float

    def picture(self, calls: Sequence[tuple[Between, Traffic]], events: Sequence[tuple[Between, Traffic]]) -> Picture:
        groups = [(group.title, [self._node(domain, group) for domain in group.domains]) for group in self.groups]
        ties = [self._drawn("call", *one) for one in calls] + [self._drawn("event", *one) for one in events]
        return draw(groups, ties)

    def calls(self, calls: Sequence[tuple[Between, Traffic]]) -> Panel:
        headers = ("From", "To", "Crosses", "Calls a minute", "Failed", "Not sent", "Half within", "What")
        rows = [(*self._ends(tie), *self._of_calls(each), ", ".join(tie.names)) for tie, each in calls]
        return Panel(title="Calls", headers=headers, rows=rows)

    def events(self, events: Sequence[tuple[Between, Traffic]]) -> Panel:
        headers = ("From", "To", "Crosses", "Tries a minute", "Failed", "What")
        rows = [(*self._ends(tie), *self._figures(each), ", ".join(tie.names)) for tie, each in events]
        return Panel(title="Events", headers=headers, rows=rows)

    def of_runtime(self, asked: Mapping[tuple[str, str], Traffic]) -> Panel:
        headers = ("Of", "What", "Calls a minute", "Failed", "Not sent", "Half within")
        rows = [
            (callee.capitalize(), method, *self._of_calls(each)) for (callee, method), each in sorted(asked.items())
        ]
        return Panel(title="Asked from everywhere", headers=headers, rows=rows, empty="Nothing of late.")

    def hosting(self) -> Panel:
        headers = ("Domain", "Seen from here", "Together with", "HTTP", "Inside", "Processes")
        rows = [
            (
                domain.capitalize(),
                badge(_NOT_ASKED_NOW, "bad") if domain in self.not_asked else _hosted(group),
                ", ".join(other.capitalize() for other in group.domains if other != domain) or "nobody",
                group.http or "not known",
                group.inside or "not known",
                ", ".join(group.processes) or "not known",
            )
            for group in self.groups
            for domain in group.domains
        ]
        return Panel(title="Who hosts what", headers=headers, rows=rows)

    def _node(self, domain: str, group: Group) -> Node:
        bad = domain in self.not_asked
        return Node(name=domain, note=_NOT_ASKED_NOW if bad else _hosted(group), bad=bad)

    def _drawn(self, kind: Kind, tie: Between, traffic: Traffic) -> Tie:
        words: tuple[str, ...] = ()
        if self.minutes:
            took = f"≤ {traffic.half_within}" if traffic.half_within and kind == "call" else ""
            words = (f"{self._rate(traffic)}/min", f"{traffic.failed:,} failed" if traffic.failed else took)
        rate = traffic.all / self.minutes if self.minutes else 0.0
        return Tie(kind=kind, source=tie.source, target=tie.target, rate=rate, words=words, bad=bool(traffic.failed))

    def _ends(self, tie: Between) -> tuple[str, str, str]:
        together = any({tie.source, tie.target} <= set(group.domains) for group in self.groups)
        return tie.source.capitalize(), tie.target.capitalize(), "no" if together else "yes"

    def _of_calls(self, traffic: Traffic) -> tuple[str, ...]:
        return (*self._figures(traffic), f"{traffic.kept_back:,}" if self.minutes else "", traffic.half_within)

    def _figures(self, traffic: Traffic) -> tuple[str, str]:
        if not self.minutes:
            return "", ""
        return self._rate(traffic), badge(f"{traffic.failed:,}", "bad") if traffic.failed else "0"

    def _rate(self, traffic: Traffic) -> str:
        rate = traffic.all / self.minutes
        return f"{rate:,.0f}" if rate >= _EXACTLY or not rate else f"{rate:.1f}"


def _hosted(group: Group) -> str:
    return "hosted here" if group.here else "over HTTP"
