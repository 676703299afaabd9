"""Money comes and goes as a decimal string with a currency, and as nothing else."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ValidationError

from runtime.http.problems import problem_of
from runtime.http.serializers import MoneyField, StrictSerializer


class PriceSerializer(StrictSerializer):
    price = MoneyField(required=False)
    refund = MoneyField(required=False, minimum="0.01")


def take(body: dict):
    """The validated values, or the errors as {(pointer, code)}."""
    serializer = PriceSerializer(data=body)
    try:
        serializer.is_valid(raise_exception=True)
    except ValidationError as error:
        errors = problem_of(error, statuses={}).members["errors"]
        return {(fault["pointer"], fault["code"]) for fault in errors}
    return serializer.validated_data


@pytest.mark.parametrize(
    ("amount", "exact"), [("12.50", "12.50"), ("12.5", "12.50"), ("12", "12.00"), ("0", "0.00"), ("007.10", "7.10")]
)
def test_money_is_a_decimal_string_and_a_currency(amount, exact):
    body = {"price": {"amount": amount, "currency": "GBP"}}

    assert str(take(body)["price"]) == f"{exact} GBP"


@pytest.mark.parametrize(
    "amount",
    [
        12,
        12.5,
        "12.505",
        "1e3",
        "NaN",
        "Infinity",
        "",
        " 1",
        "1 ",
        "+1",
        ".5",
        "1.",
        "1,5",
        "\u0661",
        "9" * 17,
        None,
        True,
        [],
    ],
)
def test_another_amount_is_refused(amount):
    assert take({"refund": {"amount": amount, "currency": "GBP"}}) == {("/refund/amount", "invalid_amount")}


@pytest.mark.parametrize(
    ("amount", "field"), [("-0.01", "price"), ("-5", "price"), ("0.00", "refund"), ("-1", "refund")]
)
def test_an_amount_below_the_least_is_refused(amount, field):
    money = {"amount": amount, "currency": "GBP"}
    assert take({field: money}) == {(f"/{field}/amount", "min_value")}


@pytest.mark.parametrize("currency", ["EUR", "gbp", "", None, 1, ["GBP"], {"a": 1}])
def test_another_currency_is_refused(currency):
    assert take({"refund": {"amount": "1", "currency": currency}}) == {("/refund/currency", "unknown_currency")}


@pytest.mark.parametrize(
    ("money", "errors"),
    [
        ("12.50", {("/refund", "not_money")}),
        (12.5, {("/refund", "not_money")}),
        (["12.50", "GBP"], {("/refund", "not_money")}),
        ({}, {("/refund/amount", "required")}),
        ({"amount": "1"}, {("/refund/currency", "required")}),
        ({"amount": "1", "currency": "GBP", "tax": "0"}, {("/refund/tax", "unknown_field")}),
    ],
)
def test_what_is_not_money_is_refused(money, errors):
    assert take({"refund": money}) == errors
