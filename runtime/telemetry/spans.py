"""
What a process does for a trace, as OpenTelemetry's spans: begun, named, described, and ended with how it went.

Names and attributes are those of the semantic conventions where these have one. Attributes are ids, codes, counts and
amounts: no personal data, no secret, no path or message that somebody else has written. An error is told by its code
or class and never by its words, which may hold a row.

Whether a trace is recorded is decided once, where it begins (``TRACES_SAMPLE``), and travels with it. What is not
recorded costs one look at a context variable for each span that it would have had.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import time_ns

from django.conf import settings
from opentelemetry import context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span, set_span_in_context

from contracts._base import ContractError, Rejected
from runtime.telemetry.sending import processor
from runtime.telemetry.tracing import parse

__all__ = ["Attributes", "annotate", "begun", "entering", "recorded", "span", "spent", "use_name"]

type Attributes = Mapping[str, str | int | float | bool]

_LIMITS = SpanLimits(max_span_attributes=32, max_span_attribute_length=2000)
"""A statement may be long; what is longer helps nobody who looks at a trace."""


@contextmanager
def entering(
    name: str, *, traceparent: str | None, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
) -> Iterator[Span]:
    """The first span that this process has of a trace: below the one that is given, or of a trace of its own."""
    parent = parse(traceparent)
    outside = parent.as_parent(remote=True) if parent else context.Context()
    with _inside(_tracer().start_span(name, context=outside, kind=kind, attributes=attributes)) as entered:
        yield entered


@contextmanager
def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None) -> Iterator[Span]:
    """A part of what is under way. Nothing, where that is not recorded."""
    current = get_current_span()
    if not current.is_recording():
        yield current
        return
    with _inside(begun(name, kind=kind, attributes=attributes)) as part:
        yield part


def recorded() -> bool:
    """Whether what is under way is recorded here."""
    return get_current_span().is_recording()


def begun(name: str, *, kind: SpanKind, attributes: Attributes | None) -> Span:
    """A part of what is under way, which the caller ends; it does not become what is under way."""
    return _tracer().start_span(name, kind=kind, attributes=attributes)


def spent(name: str, *, traceparent: str | None, since: int, kind: SpanKind, attributes: Attributes) -> None:
    """
    Something that was done for a trace together with others, and is over now. ``since`` is in nanoseconds since 1970.

    Nothing where the trace is not recorded.
    """
    parent = parse(traceparent)
    if parent is not None and parent.sampled:
        outside = parent.as_parent(remote=True)
        done = _tracer().start_span(name, context=outside, kind=kind, attributes=attributes, start_time=since)
        done.end(time_ns())


def annotate(attributes: Attributes) -> None:
    """Say more about what is under way."""
    get_current_span().set_attributes(attributes)


def use_name(name: str) -> None:
    """What is under way has a better name than the one it began with."""
    get_current_span().update_name(name)


def fail(failed: Span, error: BaseException) -> None:
    """
    How it went wrong. A refusal is an answer: it has its code, and is no error. Whoever leaves or stops is none either.
    """
    if isinstance(error, ContractError):
        failed.set_attribute("error.type", error.code)
        if isinstance(error, Rejected):
            return
    else:
        failed.set_attribute("error.type", type(error).__qualname__)
    failed.set_status(Status(StatusCode.ERROR))


@contextmanager
def _inside(entered: Span) -> Iterator[Span]:
    outer = context.attach(set_span_in_context(entered))
    try:
        yield entered
    except BaseException as error:
        fail(entered, error)
        raise
    finally:
        context.detach(outer)
        entered.end()


_making = threading.Lock()
_made: Tracer | None = None


def _tracer() -> Tracer:
    """Made when the first span is: after the fork, in a server that forks."""
    global _made
    if _made is None:
        with _making:
            if _made is None:
                _made = _make()
    return _made


def _make() -> Tracer:
    provider = TracerProvider(sampler=_sampler(), resource=_resource(), span_limits=_LIMITS, shutdown_on_exit=False)
    if (sending := processor()) is not None:
        provider.add_span_processor(sending)
        atexit.register(sending.shutdown)
    return provider.get_tracer("mitosis")


def _sampler() -> Sampler:
    """What nobody would be sent is not recorded at all."""
    return ALWAYS_OFF if processor() is None else ParentBased(TraceIdRatioBased(settings.TRACES_SAMPLE))


def _resource() -> Resource:
    hosted, all_domains = settings.HOSTED_DOMAINS, settings.DOMAIN_ALIASES
    named = os.environ.get("OTEL_SERVICE_NAME")
    return Resource.create(
        {
            "service.name": named or ("mitosis" if len(hosted) == len(all_domains) else "+".join(hosted)),
            "service.namespace": "mitosis",
            "process.pid": os.getpid(),
        }
    )
