"""The one script of requests that every partition is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.shop import Shop
from tests.topologies import scenes_of_goods as goods
from tests.topologies import scenes_of_orders as orders
from tests.topologies import scenes_of_people as people
from tests.topologies.player import Player
from tests.topologies.told import come_to_rest, write_events


@dataclass(slots=True)
class _Kept:
    """What one scene leaves for another."""

    slow: list[tuple[str, str]] = field(default_factory=list)
    delivered: str = ""


def _scenes(kept: _Kept) -> Iterator[tuple[str, Callable[[Player], Any]]]:
    def slow_ones_begin(player: Player) -> None:
        kept.slow = orders.slow_ones_begin(player)

    def shipped(player: Player) -> None:
        kept.delivered = orders.shipped(player)

    yield "Accounts", people.accounts
    yield "Bodies that are not as they should be", people.bad_bodies
    yield "Signing in and out", people.sign_in
    yield "The catalogue", goods.catalogue
    yield "The shelf", goods.shelf
    yield "Payments that take their time", slow_ones_begin
    yield "A good order", orders.good
    yield "Orders that are refused", orders.refused
    yield "Declined cards", orders.declined
    yield "More than there is", orders.out_of_stock
    yield "Cancelled", orders.cancelled
    yield "Shipped and delivered", shipped
    yield "Returned", lambda player: orders.returned(player, kept.delivered)
    yield "As it was", lambda player: orders.as_it_was(player, kept.delivered)
    yield "Refunded by hand", orders.refunded
    yield "On behalf of a customer", orders.on_behalf
    yield "Tokens that are none", people.bad_tokens
    yield "Webhooks", goods.webhooks
    yield "Payments that took their time", lambda player: orders.slow_ones_end(player, kept.slow)
    yield "A closed account", people.closed
    yield "Erased", people.erased
    yield "Lists", orders.lists
    yield "Documents", goods.documents
    yield "Nowhere", goods.nowhere
    yield "Too many", goods.too_many


def play(shop: Shop) -> str:
    """The transcript: all scenes, then what was told meanwhile, and whether the guarantees hold."""
    player = Player(shop)
    for title, scene in _scenes(_Kept()):
        player.transcript.title(title)
        try:
            scene(player)
        except (
            Exception
        ) as error:  # an answer that has not what the scene goes on with: told here, seen as a difference
            player.transcript.line(f"This scene ended early: {type(error).__name__}: {error}")
    player.transcript.title("At rest")
    player.transcript.line(str(come_to_rest(shop)))
    write_events(shop, player.transcript)
    _verify(player)
    return player.transcript.text


def _verify(player: Player) -> None:
    player.transcript.title("Guarantees")
    done = player.shop.manage("verify")
    player.transcript.line(f"exit {done.returncode}")
    if done.returncode:
        player.transcript.line(done.stdout + done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Seconds."""

    text: str
    starting: float
    playing: float


def played_on(standing: Any) -> Played:
    """Start a shop (a context manager), play, and stop it."""
    began = time.monotonic()
    with standing as shop:
        ready = time.monotonic()
        text = play(shop)
        return Played(text=text, starting=ready - began, playing=time.monotonic() - ready)
