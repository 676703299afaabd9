"""A value is of a kind and within its bounds, or it is refused with a sentence."""

from __future__ import annotations

import pytest
from django.conf import settings

from runtime.dynconf.checks import what_is_declared_can_be_used
from runtime.dynconf.declared import DURATION, FLAG, WHOLE, BadValue, Declared, UnknownValue, declared, require

TIME = Declared(key="a.time", kind=DURATION, default="3s", least="100ms", most="1m", description="A time.")
COUNT = Declared(key="a.count", kind=WHOLE, default="5", least="1", most="1000", description="A count.")
SWITCH = Declared(key="a.switch", kind=FLAG, default="on", description="A switch.")

GOOD = [
    (TIME, "100ms", 0.1, "100ms"),
    (TIME, " 1m ", 60.0, "1m"),
    (TIME, "60s", 60.0, "1m"),
    (TIME, "1.5s", 1.5, "1500ms"),
    (TIME, "2500ms", 2.5, "2500ms"),
    (TIME, "2.0s", 2.0, "2s"),
    (COUNT, "1", 1, "1"),
    (COUNT, "0001000", 1000, "1000"),
    (SWITCH, "off", False, "off"),
    (SWITCH, "on", True, "on"),
]


@pytest.mark.parametrize(("each", "text", "value", "kept"), GOOD, ids=lambda each: str(each)[:20])
def test_a_good_text_is_read_and_kept_in_one_form(each, text, value, kept):
    assert each.canonical(text) == kept
    assert each.parse(kept) == value
    assert type(each.parse(kept)) is type(value)


BAD = [
    (TIME, "3", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (TIME, "99ms", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (TIME, "61s", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (TIME, "-3s", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (TIME, "nans", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (TIME, "٣s", "it is a number with ms, s, m, h or d, as in 3s, from 100ms to 1m."),
    (COUNT, "0", "it is a whole number, from 1 to 1000."),
    (COUNT, "1001", "it is a whole number, from 1 to 1000."),
    (COUNT, "9" * 10, "it is a whole number, from 1 to 1000."),
    (COUNT, "1.5", "it is a whole number, from 1 to 1000."),
    (COUNT, "", "it is a whole number, from 1 to 1000."),
    (SWITCH, "maybe", "it is on or off."),
    (SWITCH, "ON", "it is on or off."),
]


@pytest.mark.parametrize(("each", "text", "wanted"), BAD, ids=[f"{case[0].key}={case[1]}" for case in BAD])
def test_a_bad_text_is_refused_with_what_is_wanted(each, text, wanted):
    with pytest.raises(BadValue) as refused:
        each.canonical(text)

    assert refused.value.detail == f"{each.key}={text!r} cannot be used: {wanted}"


def test_a_text_without_an_end_is_not_repeated():
    with pytest.raises(BadValue) as refused:
        COUNT.canonical("x" * 10_000)

    assert len(refused.value.detail) < 150


@pytest.mark.parametrize("text", ["5/0s", "often", "100", "0/15m"])
def test_a_rate_limit_is_what_the_counters_can_read(text):
    each = require("limits.user")
    assert each.canonical("77/1m") == "77/1m"
    assert each.canonical("off") == "off"

    with pytest.raises(BadValue, match="it is count/time, as in 100/15m, or off"):
        each.canonical(text)


def test_an_unknown_value_is_refused():
    with pytest.raises(UnknownValue, match=r"There is no value 'a.thing' that can be changed"):
        require("a.thing")


def test_a_default_is_the_environments_where_there_is_one(settings):
    settings.ORDER_BUDGET, settings.RATE_LIMIT_USER = 0.75, "5/1m"

    assert require("orders.budget").initial() == 0.75
    assert require("limits.user").initial() == "5/1m"
    assert require("orders.accepting").initial() is True


def test_everything_is_declared_that_has_to_change_while_it_runs():
    found = declared()

    assert {"orders.accepting", "orders.budget", "limits.anonymous", "limits.user"} <= found.keys()
    for domain in ("users", "inventory", "payments", "orders"):
        names = ("timeout", "retry_percent", "breaker_failures", "breaker_open")
        assert {f"calls.{domain}.{name}" for name in names} <= found.keys()
    assert all(each.description.endswith(".") for each in found.values())


FAULTS = [
    ([TIME, TIME], "a.time is declared 2 times"),
    ([Declared(key="a", kind=WHOLE, description="")], "a has a default of its own or a setting's: one of the two"),
    ([Declared(key="a", kind=WHOLE, setting="NO_SUCH", description="")], "a: there is no setting NO_SUCH"),
    ([Declared(key="a", kind=WHOLE, default="x", description="")], "a: a='x' cannot be used: it is a whole number."),
    (
        [Declared(key="a", kind=WHOLE, default="9", most="5", description="")],
        "a: a='9' cannot be used: it is a whole number, to 5.",
    ),
]


@pytest.mark.parametrize(("values", "fault"), FAULTS, ids=[case[1][:30] for case in FAULTS])
def test_what_is_declared_badly_stops_the_start(settings, values, fault):
    settings.DYNAMIC_VALUES = values

    assert [error.msg for error in what_is_declared_can_be_used(None)] == [fault]


def test_what_is_declared_here_is_declared_well():
    assert settings.DYNAMIC_VALUES
    assert what_is_declared_can_be_used(None) == []
