"""The events as clients outside know them: names, addresses and data are promised, so they are written out here."""

from __future__ import annotations

import dataclasses
import importlib
import re

import pytest

from config.subscriptions import EVENTS, SUBSCRIPTIONS
from contracts._base import Event, Money
from contracts.orders import OrderLine
from tests.architecture.source import DOMAINS

USER = {"user_id"}
ORDER = {"order_id", "user_id"}
STOCK = {"order_id", "items"}
PAYMENT = {"payment_id", "order_id", "amount"}

CATALOGUE = {
    # eventType: (exchange, routing key, what its data has at least)
    "UserRegistered": ("users", "user.registered", USER),
    "UserUpdated": ("users", "user.updated", USER),
    "UserDeactivated": ("users", "user.deactivated", USER),
    "UserErased": ("users", "user.erased", USER),
    "OrderCreated": ("orders", "order.created", ORDER | {"total_amount", "items"}),
    "OrderConfirmed": ("orders", "order.confirmed", ORDER),
    "OrderCancelled": ("orders", "order.cancelled", ORDER | {"reason"}),
    "OrderPacked": ("orders", "order.packed", ORDER | {"shipment_id", "carrier", "tracking_number"}),
    "OrderUnpaid": ("orders", "order.unpaid", ORDER | {"shipment_id", "reason"}),
    "OrderShipped": ("orders", "order.shipped", ORDER | {"carrier", "tracking_number"}),
    "OrderDelivered": ("orders", "order.delivered", ORDER),
    "OrderReturned": ("orders", "order.returned", ORDER | {"items"}),
    "InventoryUpdated": ("inventory", "inventory.updated", {"sku", "on_hand", "reserved", "sold"}),
    "InventoryInsufficient": ("inventory", "inventory.insufficient", STOCK),
    "InventoryReserved": ("inventory", "inventory.reserved", STOCK),
    "InventoryReleased": ("inventory", "inventory.released", STOCK),
    "InventoryLow": ("inventory", "inventory.low", {"sku"}),
    "PaymentAuthorized": ("payments", "payment.authorized", PAYMENT),
    "PaymentCaptured": ("payments", "payment.captured", PAYMENT),
    "PaymentFailed": ("payments", "payment.failed", PAYMENT),
    "PaymentVoided": ("payments", "payment.voided", PAYMENT),
    "PaymentRefunded": ("payments", "payment.refunded", PAYMENT),
}

PERSONAL = re.compile(r"email|password|phone|address|note|text|^name$|first_name|last_name")


def fields_of(event: type[Event]) -> set[str]:
    return {field.name for field in dataclasses.fields(event)}


@pytest.mark.parametrize("event", EVENTS, ids=[event.name for event in EVENTS])
def test_an_event_is_told_as_the_catalogue_says(event: type[Event]) -> None:
    exchange, routing_key, data = CATALOGUE[event.name]

    assert (event.exchange, event.routing_key) == (exchange, routing_key)
    assert data <= fields_of(event)
    assert event.version >= 1


def test_the_catalogue_is_complete() -> None:
    assert {event.name for event in EVENTS} == set(CATALOGUE)


def test_every_event_that_a_contract_declares_is_in_the_catalogue() -> None:
    declared = {
        value
        for domain in DOMAINS
        for name, value in vars(importlib.import_module(f"contracts.{domain}")).items()
        if isinstance(value, type) and issubclass(value, Event) and value is not Event and not name.startswith("_")
    }

    assert declared == set(EVENTS)
    assert len(EVENTS) == len(declared)


def test_no_two_events_have_one_name_or_one_address() -> None:
    names = [event.name for event in EVENTS]
    addresses = [(event.exchange, event.routing_key) for event in EVENTS]

    assert len(set(names)) == len(names)
    assert len(set(addresses)) == len(addresses)


def test_a_wire_name_is_no_python_path() -> None:
    assert [event.name for event in EVENTS if "." in event.name or not event.name[0].isupper()] == []


def test_an_event_is_told_by_the_domain_whose_contract_declares_it() -> None:
    assert [event.name for event in EVENTS if event.__module__ != f"contracts.{event.exchange}"] == []


def test_a_routing_key_says_in_the_past_tense_what_its_name_says() -> None:
    for event in EVENTS:
        thing, fact = event.routing_key.split(".")
        assert event.name == thing.capitalize() + fact.capitalize()


def test_an_event_carries_nothing_personal() -> None:
    found = {f"{event.name}.{name}" for event in EVENTS for name in fields_of(event) if PERSONAL.search(name)}

    assert found == set()
    assert fields_of(OrderLine) - fields_of(Money) == {"sku", "name", "quantity", "unit_price"}, "the product's name"


@pytest.mark.parametrize("event", EVENTS, ids=[event.name for event in EVENTS])
def test_an_event_says_what_it_happened_to(event: type[Event]) -> None:
    assert event.subject is not Event.subject


def test_only_events_of_the_catalogue_are_subscribed_to_and_nobody_subscribes_to_its_own() -> None:
    assert set(SUBSCRIPTIONS) == set(DOMAINS)
    for consumer, events in SUBSCRIPTIONS.items():
        assert set(events) <= set(EVENTS)
        assert [event.name for event in events if event.exchange == consumer] == []
