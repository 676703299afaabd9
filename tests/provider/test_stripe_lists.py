"""The provider's own list beside our books, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import urllib3

from apps.payments.models import LedgerLine, Movement
from apps.payments.stripe_answers import in_minor_units, read_money
from config.verification import Books, ledger_balances
from contracts._base import InvalidMoney, Money, Unavailable
from tests.payments.till import pounds
from tests.provider.conftest import pay_with
from tests.provider.counter import Counter

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(settings, own_provider):
    """Payments with a provider whose list has nothing else in it."""
    return pay_with(settings, own_provider)


def verify(service) -> list[str]:
    """V8 on all that there is, as verify reads it, long after the last of it happened."""
    rows = service.audit(after=None, limit=500).items
    entries, after = [], None
    while True:
        page = service.provider_entries(after=after, limit=2)
        entries += page.items
        if (after := page.next) is None:
            break
    later = datetime.now(UTC) + timedelta(hours=1)
    payments = {row.order_id: [row] for row in rows}
    return ledger_balances(Books(orders={}, payments=payments, stock=[], entries=entries, now=later)).broken


def take_elsewhere(provider, key: str) -> str:
    """Money that moves at the provider and not through us."""
    http = urllib3.PoolManager()

    def post(path: str, **fields: str) -> str:
        headers = {"Authorization": "Bearer sk_test_another"}
        answer = http.request(
            "POST", f"{provider.url}/v1/{path}", fields=fields, headers=headers, encode_multipart=False
        )
        return answer.json()["id"]

    id = post("payment_intents", amount="700", currency="gbp", **{"metadata[key]": key})
    return post(f"payment_intents/{id}/confirm", payment_method="pm_card_visa")


def test_the_list_comes_in_pages_and_each_entry_stands_beside_what_we_booked(own, own_provider):
    counters = [Counter(own, own_provider) for _ in range(5)]
    for one in counters:
        one.charge()
    counters[0].void()
    Counter(own, own_provider).charge(capture=False)
    held = Counter(own, own_provider)
    held.charge(capture=False)
    held.capture()

    entries, after, pages = [], None, 0
    while True:
        page = own.provider_entries(after=after, limit=2)
        assert len(page.items) <= 2
        entries, after, pages = [*entries, *page.items], page.next, pages + 1
        if after is None:
            break

    kinds = sorted((entry.kind, entry.key, entry.booked) for entry in entries)
    assert kinds == sorted(
        [("capture", one.key, pounds("25.00")) for one in (*counters, held)]
        + [("refund", f"{counters[0].key}:refund", pounds("25.00"))]
    )
    assert pages == 5
    assert verify(own) == []


def test_money_that_only_the_provider_knows_of_breaks_v8(own, own_provider):
    Counter(own, own_provider).charge()
    nobodys = take_elsewhere(own_provider, "")
    again = take_elsewhere(own_provider, Counter(own, own_provider).key)

    assert sorted(case.split(" of ")[0] for case in verify(own)) == sorted(
        [f"the provider has a capture {nobodys}", f"the provider has a capture {again}"]
    )


def test_a_second_capture_under_one_of_our_keys_is_not_taken_for_the_first(own, own_provider):
    counter = Counter(own, own_provider)
    counter.charge()
    twice = take_elsewhere(own_provider, counter.key)

    (case,) = verify(own)

    assert case == f"the provider has a capture {twice} of 7.00 GBP for {counter.key}, and we have none"


def test_a_movement_that_the_provider_does_not_list_breaks_v8(own, own_provider):
    counter = Counter(own, own_provider)
    counter.charge()
    planted = Movement(
        payment=counter.row, kind=Movement.REFUND, key="planted", amount=Decimal("5.00"), reference="re_planted"
    )
    planted.save(using="payments", force_insert=True)

    assert [case for case in verify(own) if "re_planted" in case] == [
        "refund re_planted is 5.00 GBP, the provider has nothing"
    ]
    assert not LedgerLine.objects.using("payments").filter(movement=planted).exists()


def test_a_list_that_cannot_be_read_is_no_empty_list(own, own_provider):
    Counter(own, own_provider).charge()
    own_provider.stop()

    with pytest.raises(Unavailable, match="the payment provider does not answer"):
        own.provider_entries(after=None, limit=10)
    (row,) = own.audit(after=None, limit=10).items
    assert (row.provider_captured, len(row.movements)) == (None, 1)
    own_provider.start()


# --- Money in its words ---------------------------------------------------------------------------------------------


def test_amounts_are_whole_hundredths_and_other_currencies_are_refused():
    assert in_minor_units(pounds("25.01")) == 2501
    assert read_money(2501, "gbp") == pounds("25.01")
    for currency in ("JPY", "KWD", "HUF"):
        with pytest.raises(ValueError, match="not counted in hundredths"):
            in_minor_units(Money(Decimal("5.00"), currency))
        with pytest.raises(ValueError, match="not counted in hundredths"):
            read_money(500, currency.lower())
    for units, currency in ((25.0, "gbp"), ("2500", "gbp"), (True, "gbp"), (None, "gbp"), (2500, None)):
        with pytest.raises(TypeError):
            read_money(units, currency)
    with pytest.raises(InvalidMoney):
        read_money(10**19, "gbp")
