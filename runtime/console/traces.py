"""Traces as pictures: one as a waterfall, the recent ones as a list, and those of a record as a table of links."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from runtime.console.panels import Panel, badge, code, link, moment
from runtime.telemetry.traces import RecentTraces, Recorded, recent_traces

__all__ = ["Bar", "Moment", "addresses_of", "recent_page", "require_sight", "trace_page", "traces_panel", "waterfall"]

type Moment = tuple[str, datetime, str]
"""A trace's id, when something of it was noted, and what."""

_MOST_BARS = 1500
_MOST_RECENT = 50
_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One span in the picture. Times are in milliseconds; ``left`` and ``width`` in percent of the whole."""

    span: Recorded
    depth: int
    began: float
    took: float
    left: float
    width: float

    @property
    def facts(self) -> list[tuple[str, object]]:
        return [*self.span.attributes.items(), ("kind", self.span.kind), ("process.pid", self.span.process)]

    @property
    def is_sql(self) -> bool:
        return "db.system.name" in self.span.attributes


def waterfall(spans: Sequence[Recorded], *, with_sql: bool = True) -> list[Bar]:
    """
    Each below the one that it is a part of, in order of time. One whose parent is not there (yet, or any more, or is
    somebody else's) stands at the left.
    """
    if not spans:
        return []
    first, last = min(span.began for span in spans), max(span.ended for span in spans)
    whole = max(1, last - first)
    return [
        Bar(
            span=span,
            depth=depth,
            began=(span.began - first) / _NS_PER_MS,
            took=(span.ended - span.began) / _NS_PER_MS,
            left=100 * (span.began - first) / whole,
            width=100 * (span.ended - span.began) / whole,
        )
        for span, depth in _in_order(spans)
        if with_sql or "db.system.name" not in span.attributes
    ]


def _in_order(spans: Sequence[Recorded]) -> Iterator[tuple[Recorded, int]]:
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Recorded]] = defaultdict(list)
    for span in sorted(spans, key=lambda one: (one.began, -one.ended)):
        below[span.parent_id if span.parent_id in known else None].append(span)
    # A list and no recursion: whoever sends us a trace may have made it as deep as he likes.
    open_: list[tuple[Recorded, int]] = [(span, 0) for span in reversed(below[None])]
    while open_:
        span, depth = open_.pop()
        yield span, depth
        open_ += [(part, depth + 1) for part in reversed(below.pop(span.span_id, []))]


# --- Pages ----------------------------------------------------------------------------------------------------------


@require_safe
def trace_page(request: HttpRequest, trace_id: str) -> HttpResponse:
    """One trace. Any process can show it: all write to one cache."""
    require_sight(request)
    if not _TRACE_ID.fullmatch(trace_id):
        raise Http404
    with_sql = request.GET.get("sql") != "off"
    spans, trouble = _ask(lambda traces: traces.find(trace_id))
    bars = waterfall(spans or [], with_sql=with_sql)
    context = {
        "title": "Trace",
        "trace_id": trace_id,
        "elsewhere": _elsewhere(trace_id),
        "bars": bars[:_MOST_BARS],
        "left_out": max(0, len(bars) - _MOST_BARS),
        "spans": len(spans or []),
        "services": sorted({span.service for span in spans or []}),
        "began": _when(spans[0].began) if spans else "",
        "took": max((bar.began + bar.took for bar in bars), default=0.0),
        "with_sql": with_sql,
        "trouble": trouble,
    }
    return _page(request, "console/trace.html", context, trouble=trouble)


@require_safe
def recent_page(request: HttpRequest) -> HttpResponse:
    """The traces that were written to last."""
    require_sight(request)
    found, trouble = _ask(lambda traces: [traces.find(one) for one in traces.latest(_MOST_RECENT)])
    rows = [_row(spans) for spans in found or [] if spans]
    headers = ("Began at (UTC)", "What", "Took (ms)", "Spans", "Services", "Result", "Trace")
    context = {
        "title": "Traces",
        "panel": Panel(title="Recent traces", headers=headers, rows=rows, empty="None was recorded yet."),
        "trouble": trouble,
    }
    return _page(request, "console/traces.html", context, trouble=trouble)


def traces_panel(moments: Sequence[Moment]) -> Panel:
    """The traces of a record, each once, with what is noted first of it."""
    first: dict[str, Moment] = {}
    for noted in sorted(moments, key=lambda one: one[1]):
        first.setdefault(noted[0], noted)
    shown, _ = _ask(lambda traces: traces.known(list(first)))
    return Panel(
        title="Traces",
        headers=("Began at (UTC)", "With", "Trace"),
        rows=[(moment(at), what, _reference(one, shown)) for one, at, what in first.values()],
        empty="None is known.",
    )


def addresses_of(trace_ids: Sequence[str]) -> dict[str, str]:
    """Where to look at these traces; without those that were not recorded, or are gone."""
    if settings.TRACES_URL:
        return {one: _elsewhere(one) for one in trace_ids}
    known, _ = _ask(lambda traces: traces.known(list(dict.fromkeys(trace_ids))))
    return {one: _address(one) for one in known or ()}


# --- Parts of them --------------------------------------------------------------------------------------------------


def require_sight(request: HttpRequest) -> None:
    """What goes through all domains is for whoever may look at each of them. Raises PermissionDenied."""
    wanted = [f"{domain}.view_any" for domain in settings.DOMAIN_ALIASES]
    if not request.user.has_perms(wanted):
        raise PermissionDenied


def _ask[T](question: Callable[[RecentTraces], T]) -> tuple[T | None, str]:
    """The answer of the recent traces, or why there is none."""
    traces = recent_traces()
    if traces is None:
        return None, "Traces are not kept here: they are sent to a collector, or there is no cache to keep them in."
    try:
        return question(traces), ""
    except RedisError:
        return None, "The cache, which has the recent traces, cannot be reached now. Nothing else depends on it."


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, trouble: str) -> HttpResponse:
    away = bool(trouble) and recent_traces() is not None
    status = HTTPStatus.SERVICE_UNAVAILABLE if away else HTTPStatus.OK
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context}, status=status)


def _elsewhere(trace_id: str) -> str:
    return settings.TRACES_URL.replace("{trace_id}", trace_id) if settings.TRACES_URL else ""


def _address(trace_id: str) -> str:
    return f"{settings.CONSOLE_PATH}/traces/{trace_id}/"


def _reference(trace_id: str, shown: frozenset[str] | None) -> SafeString:
    """A link where there is something behind it; the bare id of a trace that was not recorded, or is gone."""
    if elsewhere := _elsewhere(trace_id):
        return link(elsewhere, trace_id)
    return link(_address(trace_id), trace_id) if shown and trace_id in shown else code(trace_id)


def _row(spans: Sequence[Recorded]) -> tuple[Any, ...]:
    known = {span.span_id for span in spans}
    root = next((span for span in spans if span.parent_id not in known), spans[0])
    took = (max(span.ended for span in spans) - min(span.began for span in spans)) / _NS_PER_MS
    failed = any(span.failed for span in spans)
    return (
        _when(spans[0].began),
        root.name,
        f"{took:,.1f}",
        len(spans),
        ", ".join(sorted({span.service for span in spans})),
        badge("error", "bad") if failed else badge("ok", "good"),
        link(_address(spans[0].trace_id), spans[0].trace_id[:12]),
    )


def _when(nanoseconds: int) -> str:
    return moment(datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC))
