"""What the domains told one another: the events of each aggregate, from the outboxes, and who heard them."""

from __future__ import annotations

import json
import time
from typing import Any

from config.subscriptions import SUBSCRIPTIONS
from config.topology import DOMAINS
from tests.shop import Shop
from tests.topologies.transcript import Transcript

LONGEST_WAIT = 30.0

_OUTBOX = """
SELECT subject, sequence, event_type, version, exchange, routing_key, wanted, published_at IS NOT NULL,
       traceparent IS NOT NULL, data, min(created_at) OVER (PARTITION BY subject) AS begun
FROM messaging_outboxmessage ORDER BY begun, subject, sequence
"""
_INBOX = """
SELECT subject, sequence, source, event_type, handled_at IS NOT NULL, parked_at IS NOT NULL
FROM messaging_inboxmessage ORDER BY subject, sequence
"""
_UNFINISHED = "SELECT count(*) FROM saga_sagarun WHERE state IN ('running', 'compensating')"
_TOLD = "SELECT event_id FROM messaging_outboxmessage WHERE event_type = ANY(%s) AND wanted"
_HEARD = "SELECT event_id FROM messaging_inboxmessage WHERE handled_at IS NOT NULL OR parked_at IS NOT NULL"


def come_to_rest(shop: Shop) -> bool:
    """Wait until no process is under way and all subscribers have heard each event. Whether it came to that."""
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        if _rests(shop):
            return True
        time.sleep(0.2)
    return False


def _rests(shop: Shop) -> bool:
    if shop.sql("orders", _UNFINISHED) != [(0,)]:
        return False
    for consumer, events in SUBSCRIPTIONS.items():
        heard = {event_id for (event_id,) in shop.sql(consumer, _HEARD)}
        for source in {event.exchange for event in events}:
            names = [event.name for event in events if event.exchange == source]
            if not {event_id for (event_id,) in shop.sql(source, _TOLD, names)} <= heard:
                return False
    return True


def write_events(shop: Shop, transcript: Transcript) -> None:
    """
    Every aggregate's events, in its own order; aggregates in the order in which the transcript has met them.

    No order between aggregates is promised, so none is compared.
    """
    for domain in DOMAINS:
        transcript.title(f"Events of {domain}")
        for subject, events in sorted(_by_subject(shop, domain, _OUTBOX), key=lambda each: _place(each, transcript)):
            transcript.line(subject)
            for sequence, name, version, exchange, key, wanted, published, traced, data, _ in events:
                facts = [word for word, holds in (("sent", published), ("wanted", wanted), ("traced", traced)) if holds]
                transcript.line(f"  {sequence} {name} v{version} {exchange} {key} ({', '.join(facts)})")
                transcript.line(f"    {json.dumps(data)}")
    for domain in DOMAINS:
        transcript.title(f"Heard by {domain}")
        for subject, events in sorted(_by_subject(shop, domain, _INBOX), key=lambda each: _place(each, transcript)):
            for sequence, source, name, handled, parked in events:
                state = "handled" if handled else "parked" if parked else "open"
                transcript.line(f"{subject} {sequence} {name} of {source}: {state}")


def _by_subject(shop: Shop, domain: str, statement: str) -> list[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = {}
    for subject, *event in shop.sql(domain, statement):
        found.setdefault(subject, []).append(event)
    return list(found.items())


def _place(each: tuple[str, list[Any]], transcript: Transcript) -> tuple[bool, int, str]:
    """What the transcript has not met, as the operator's account, is last, as it came; a sku stands for itself."""
    subject, _events = each
    place = transcript.appearances.place_of(subject)
    if place is not None:
        return (False, place, "")
    return (True, 0, "" if len(subject) == 36 else subject)
