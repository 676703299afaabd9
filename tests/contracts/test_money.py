"""Money is exact, in one currency, and nothing else passes for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts._base import InvalidMoney, Money

LARGEST = 10**18 - 1
"""In cents: 9,999,999,999,999,999.99."""

cents = st.integers(min_value=-LARGEST, max_value=LARGEST)
small_cents = st.integers(min_value=-(10**14), max_value=10**14)
currencies = st.from_regex(r"[A-Z]{3}", fullmatch=True)


def money(number: int, currency: str = "GBP") -> Money:
    return Money(Decimal(number).scaleb(-2), currency)


def number_of_cents(value: Money) -> int:
    return int(value.amount.scaleb(2))


# --- What it is -------------------------------------------------------------------------------------------------------


@given(number=cents, currency=currencies)
def test_an_amount_always_has_two_places(number: int, currency: str) -> None:
    value = money(number, currency)

    assert value.amount.as_tuple().exponent == -2
    assert number_of_cents(value) == number
    assert value.currency == currency


@pytest.mark.parametrize("text", ["5", "5.0", "5.00", "05.00", "5E0"])
def test_equal_amounts_are_equal_and_look_equal(text: str) -> None:
    value = Money(Decimal(text), "GBP")

    assert value == money(500)
    assert hash(value) == hash(money(500))
    assert str(value) == "5.00 GBP"


def test_nothing_below_zero_is_zero_without_a_sign() -> None:
    assert str(Money(Decimal("-0.00"), "GBP")) == "0.00 GBP"
    assert str(money(5) - money(5)) == "0.00 GBP"
    assert Money.zero("EUR") == Money(Decimal(0), "EUR")


def test_money_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        money(1).amount = Decimal(2)  # type: ignore[misc]


# --- What it is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_money(amount: str) -> None:
    with pytest.raises(InvalidMoney, match="is not an amount of money"):
        Money(Decimal(amount), "GBP")


@pytest.mark.parametrize("amount", ["0.001", "1.999", "-0.001", "1E-3", "1E-999999", "0.005", "0.015"])
def test_a_third_place_is_refused_and_never_rounded(amount: str) -> None:
    with pytest.raises(InvalidMoney, match="more than two decimal places"):
        Money(Decimal(amount), "GBP")


@pytest.mark.parametrize("amount", [10**16, -(10**16), Decimal("1E+16"), Decimal("1E+999999")])
def test_what_is_too_large_is_refused(amount: int | Decimal) -> None:
    with pytest.raises(InvalidMoney, match="is not an amount of money"):
        Money(Decimal(amount), "GBP")


def test_the_largest_amounts_are_still_money() -> None:
    assert str(money(LARGEST)) == "9999999999999999.99 GBP"
    assert str(money(-LARGEST)) == "-9999999999999999.99 GBP"


@pytest.mark.parametrize("amount", [5.0, 0.1, float("nan"), 5, True, "5.00", None])
def test_only_a_decimal_is_an_amount(amount: Any) -> None:
    with pytest.raises(InvalidMoney, match="an amount is a Decimal, not"):
        Money(amount, "GBP")


@pytest.mark.parametrize("currency", ["gbp", "GB", "GBPX", "£", "", " GBP", "GBP\n", "ÄÖÜ", "G1P"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(InvalidMoney, match="is not a currency"):
        Money(Decimal(1), currency)


@pytest.mark.parametrize("currency", [None, 826, b"GBP"])
def test_a_currency_that_is_no_text_is_refused(currency: Any) -> None:
    with pytest.raises(InvalidMoney):
        Money(Decimal(1), currency)


# --- Text -------------------------------------------------------------------------------------------------------------


@given(number=cents, currency=currencies)
def test_money_that_was_written_can_be_read(number: int, currency: str) -> None:
    value = money(number, currency)
    amount, _, written_currency = str(value).partition(" ")

    assert Money.parse(amount, written_currency) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.50", 1250), ("12.5", 1250), ("12", 1200), ("-12.50", -1250), ("0", 0), ("-0", 0), ("007", 700)],
)
def test_a_decimal_string_of_at_most_two_places_is_read(text: str, number: int) -> None:
    assert Money.parse(text, "GBP") == money(number)


@pytest.mark.parametrize(
    "text",
    [
        "12.500",
        "12.",
        ".5",
        "+5",
        "5,00",
        "5_000",
        "1e2",
        " 5",
        "5 ",
        "5\n",
        "NaN",
        "Infinity",
        "",
        "-",
        "\u0665",
        "\uff15",
        "£5",
        "12345678901234567",
        "0x5",
        5,
        5.0,
        Decimal(5),
        None,
        True,
        b"5",
    ],
    ids=repr,
)
def test_any_other_text_is_refused(text: Any) -> None:
    with pytest.raises(InvalidMoney, match="is not a decimal string with at most two places"):
        Money.parse(text, "GBP")


@given(text=st.text())
def test_a_text_is_read_as_money_or_refused_and_nothing_else_happens(text: str) -> None:
    try:
        value = Money.parse(text, "GBP")
    except InvalidMoney:
        return
    assert Decimal(text) == value.amount


# --- Arithmetic -------------------------------------------------------------------------------------------------------


@given(one=small_cents, other=small_cents)
def test_adding_and_taking_away_are_exact(one: int, other: int) -> None:
    assert money(one) + money(other) == money(one + other)
    assert money(one) - money(other) == money(one - other)
    assert money(one) + money(other) - money(other) == money(one)


@given(number=small_cents, count=st.integers(min_value=-1000, max_value=1000))
def test_multiplying_is_exact(number: int, count: int) -> None:
    assert money(number) * count == money(number * count)


@given(numbers=st.lists(small_cents, max_size=20))
def test_a_sum_does_not_depend_on_the_order(numbers: list[int]) -> None:
    values = [money(number) for number in numbers]

    assert sum(values, Money.zero("GBP")) == sum(reversed(values), Money.zero("GBP")) == money(sum(numbers))


@given(one=cents, other=cents)
def test_amounts_are_compared_as_numbers_are(one: int, other: int) -> None:
    assert (money(one) < money(other)) is (one < other)
    assert (money(one) <= money(other)) is (one <= other)
    assert (money(one) > money(other)) is (one > other)
    assert (money(one) >= money(other)) is (one >= other)
    assert (money(one) == money(other)) is (one == other)


large_cents = st.integers(min_value=LARGEST // 2 + 1, max_value=LARGEST)


@given(one=large_cents, other=large_cents)
def test_a_result_that_is_too_large_is_refused(one: int, other: int) -> None:
    with pytest.raises(InvalidMoney):
        money(one) + money(other)
    with pytest.raises(InvalidMoney):
        money(-one) - money(other)


@pytest.mark.parametrize("count", [2, 10**6, 10**30, -(10**30)])
def test_a_product_that_is_too_large_is_refused(count: int) -> None:
    with pytest.raises(InvalidMoney):
        money(LARGEST) * count


@pytest.mark.parametrize("count", [1.0, 0.5, Decimal(2), True, "2", None], ids=repr)
def test_money_is_multiplied_by_whole_numbers_only(count: Any) -> None:
    with pytest.raises(InvalidMoney, match="whole number"):
        money(500) * count


@pytest.mark.parametrize(
    "mix",
    [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b],
    ids=["+", "-", "<", "<=", ">"],
)
def test_two_currencies_do_not_mix(mix: Any) -> None:
    with pytest.raises(InvalidMoney, match="in different currencies"):
        mix(money(500, "GBP"), money(500, "EUR"))


def test_the_same_number_in_another_currency_is_another_amount() -> None:
    assert money(500, "GBP") != money(500, "EUR")
    assert money(500) != Decimal("5.00")
    assert money(500) != 5


@pytest.mark.parametrize("other", [5, 5.0, Decimal(5), "5.00", None], ids=repr)
def test_money_and_a_plain_number_do_not_mix(other: Any) -> None:
    with pytest.raises((InvalidMoney, TypeError)):
        money(500) + other
    with pytest.raises((InvalidMoney, TypeError)):
        bool(money(500) < other)
