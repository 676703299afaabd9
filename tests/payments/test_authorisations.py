"""Money that is held first is taken once, or let go; an authorisation that lapsed is undone and says so."""

from __future__ import annotations

from functools import partial

import pytest

from apps.payments import books
from apps.payments.books import record_reference
from apps.payments.gateways import Answer, ProviderFailed, ProviderSilent
from contracts.payments import InsufficientFunds, PaymentClosed, PaymentDeclined, PaymentUnknown
from runtime.calls import call
from tests.payments.till import Till, pounds
from tests.together import kinds, shift_clock, together

CAPTURE = [("provider", "25.00", "0.00"), ("customers", "0.00", "25.00")]


@pytest.mark.django_db
def test_a_held_payment_moves_no_money_until_it_is_captured_and_then_once(till):
    held = till.charge(capture=False)

    assert (held.status, held.amount) == ("authorized", pounds("25.00"))
    assert (till.moved, till.ledger, till.told) == ([], [], ["PaymentAuthorized"])
    assert (till.row.intent, till.sandbox()) == ("hold", ("authorized", []))

    assert [till.capture().status for _ in range(3)] == ["captured"] * 3

    assert (till.moved, till.ledger) == ([("capture", "25.00")], CAPTURE)
    assert till.told == ["PaymentAuthorized", "PaymentCaptured"]
    assert till.asked == [("charge", "authorized"), ("capture", "captured")]
    assert till.sandbox() == ("captured", [])


@pytest.mark.django_db
def test_a_charge_or_an_inquiry_about_a_held_payment_takes_nothing(till):
    for ask in (partial(till.charge, capture=False), till.inquire, till.charge):
        assert (till.charge(capture=False).status, ask().status) == ("authorized", "authorized")

    assert (till.moved, till.told, till.sandbox()) == ([], ["PaymentAuthorized"], ("authorized", []))


@pytest.mark.django_db
def test_a_held_payment_that_is_undone_is_let_go_and_cannot_be_captured(till):
    till.charge(capture=False)

    assert till.void().status == "voided"
    with pytest.raises(PaymentClosed):
        till.capture()

    assert (till.moved, till.sandbox()) == ([], ("cancelled", []))
    assert till.told == ["PaymentAuthorized", "PaymentVoided"]


@pytest.mark.django_db
def test_a_captured_authorisation_that_is_undone_is_given_back(till):
    till.charge(capture=False)
    till.capture()

    assert till.void().status == "refunded"

    assert till.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert till.sandbox() == ("captured", ["25.00"])


@pytest.mark.django_db
@pytest.mark.parametrize("lasts", ["6 days 23 hours", "7 days 1 second"])
def test_an_authorisation_that_lapsed_is_voided_and_said_so(till, lasts):
    till.charge(capture=False)
    shift_clock("payments", lasts)

    if lasts.startswith("6"):
        assert till.capture().status == "captured"
        return
    for ask in (till.capture, till.capture, till.inquire):
        with pytest.raises(PaymentClosed):
            ask()
    assert (till.row.status, till.moved, till.sandbox()) == ("voided", [], ("cancelled", []))
    assert till.told == ["PaymentAuthorized", "PaymentVoided"]


@pytest.mark.django_db
def test_what_was_never_begun_or_was_refused_cannot_be_captured(till):
    with pytest.raises(PaymentUnknown):
        till.capture()
    for ask in (partial(till.charge, "pm_card_insufficient_funds", capture=False), till.capture):
        with pytest.raises(InsufficientFunds):
            ask()

    assert (till.row.status, till.moved, till.told) == ("failed", [], ["PaymentFailed"])


@pytest.mark.django_db
def test_a_payment_that_is_held_later_is_pending_and_taken_only_by_a_capture(till):
    assert till.charge("pm_card_async", capture=False).status == "pending"
    shift_clock("payments", "3 seconds")

    assert till.inquire().status == "authorized"
    assert till.moved == []
    assert till.capture().status == "captured"
    assert till.moved == [("capture", "25.00")]


@pytest.mark.django_db
def test_a_capture_before_the_outcome_of_the_hold_is_known_finds_it_out_and_takes_the_money(till):
    with call(seconds=0.05):
        assert till.charge("pm_card_timeout", capture=False).status == "unknown"

    assert till.capture().status == "captured"

    assert till.asked == [("charge", "silent"), ("inquire", "authorized"), ("capture", "captured")]
    assert till.moved == [("capture", "25.00")]


@pytest.mark.django_db
@pytest.mark.parametrize("silence", ["before", "after"])
def test_a_capture_without_an_answer_is_unknown_and_asked_again_without_taking_twice(theirs, provider, silence):
    theirs.charge(capture=False)
    provider.misbehave["capture"] = [silence]

    assert theirs.capture().status == "unknown"
    assert (theirs.moved, theirs.told) == ([], ["PaymentAuthorized"])
    assert theirs.inquire().status == "captured"

    assert theirs.moved == [("capture", "25.00")]
    assert theirs.told == ["PaymentAuthorized", "PaymentCaptured"]


@pytest.mark.django_db
def test_a_void_whose_cancellation_is_not_answered_is_unknown_and_ends_in_peace(theirs, provider):
    theirs.charge(capture=False)
    provider.misbehave["cancel"] = ["after"]

    assert [theirs.void().status for _ in range(2)] == ["unknown", "voided"]
    assert (theirs.moved, provider.net()) == ([], 0)


def test_ten_captures_at_once_take_the_money_once(committed, till):
    till.charge(capture=False)

    answers = together(*[till.capture] * 10)

    assert [answer.status for answer in answers] == ["captured"] * 10
    assert till.moved == [("capture", "25.00")]
    assert till.told == ["PaymentAuthorized", "PaymentCaptured"]


def test_capture_and_void_at_once_end_with_the_money_taken_and_given_back_or_never_taken(committed, till):
    tills = [Till(till.service) for _ in range(6)]
    for one in tills:
        one.charge(capture=False)

    answers = together(*[one.capture for one in tills], *[one.void for one in tills])

    assert set(kinds(answers)) <= {"Payment", "PaymentClosed"}
    for one in tills:
        one.void()
        assert (one.sandbox(), one.row.status) in [
            (("captured", ["25.00"]), "refunded"),
            (("cancelled", []), "voided"),
        ]


# --- Prepared first -------------------------------------------------------------------------------------------------


@pytest.fixture
def prepared(theirs, provider) -> Till:
    """A provider that tells its reference only when it is asked for."""
    provider.prepares = True
    return theirs


@pytest.mark.django_db
def test_a_provider_that_makes_its_own_references_is_asked_for_one_before_any_money_can_move(prepared, provider):
    assert prepared.charge().status == "captured"

    assert [question for question, _ in provider.asked] == ["prepare", "charge"]
    assert prepared.asked == [("prepare", "prepared"), ("charge", "captured")]
    assert prepared.row.reference == f"ch_{prepared.key}"
    assert prepared.moved == [("capture", "25.00")]


@pytest.mark.django_db
@pytest.mark.parametrize("silence", ["before", "after"])
def test_a_lost_answer_to_the_preparation_has_moved_nothing_and_is_asked_for_again(prepared, provider, silence):
    provider.misbehave["prepare"] = [silence]

    assert prepared.charge().status == "unknown"
    assert (prepared.row.reference, provider.charges) == ("", {})
    assert prepared.inquire().status == "captured"

    assert [question for question, _ in provider.asked] == ["prepare", "prepare", "charge"]
    assert prepared.moved == [("capture", "25.00")]


@pytest.mark.django_db
def test_a_void_of_what_was_never_prepared_asks_nobody(prepared, provider):
    provider.misbehave["prepare"] = ["after"]
    prepared.charge()

    assert prepared.void().status == "voided"
    with pytest.raises(PaymentClosed):
        prepared.charge()

    assert [question for question, _ in provider.asked] == ["prepare"]
    assert (prepared.told, provider.net()) == (["PaymentVoided"], 0)


@pytest.mark.django_db
def test_a_charge_that_is_undone_while_it_is_being_prepared_is_never_confirmed(prepared, provider):
    def undo(answer):
        assert prepared.void().status == "voided"
        return answer

    provider.misbehave["prepare"] = [undo]

    with pytest.raises(PaymentClosed):
        prepared.charge()

    assert provider.times("charge") == 0
    assert (prepared.row.status, provider.net()) == ("voided", 0)


@pytest.mark.django_db
def test_a_charge_that_two_prepare_and_one_undoes_is_never_confirmed(prepared, provider):
    def overtaken(answer):
        record_reference(prepared.row, answer)
        provider.misbehave["cancel"] = ["before"]
        assert prepared.void().status == "unknown"
        return answer

    provider.misbehave["prepare"] = [overtaken]

    with pytest.raises(PaymentClosed):
        prepared.charge()

    assert provider.times("charge") == 0
    assert prepared.void().status == "voided"


@pytest.mark.django_db
def test_what_the_provider_refused_for_good_under_one_key_is_asked_for_under_the_next(prepared, provider):
    numbers = []

    def fail(charge, *, timeout):
        numbers.append(charge.number)
        raise ProviderSilent if len(numbers) == 1 else failed

    failed = ProviderFailed()
    ask, provider.prepare = provider.prepare, fail
    for _ in range(4):
        prepared.charge()
    provider.prepare = ask

    assert numbers == [0, 0, 1, 2]
    assert prepared.charge().status == "captured"


# --- Late ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["webhook", "look"])
def test_money_taken_after_the_cancellation_is_booked_and_given_back_once(theirs, provider, how):
    provider.settles = "pending"
    theirs.charge()
    assert theirs.void().status == "voided"
    provider.charges[theirs.key].state = "captured"

    for event in ("e1", "e2", "e1"):
        if how == "webhook":
            headers = {"Signature": "good", "Event": event}
            theirs.service.webhook(provider="testers", body=theirs.key.encode(), headers=headers)
        else:
            shift_clock("payments", "6 seconds")
            theirs.service.look_again()

    assert theirs.row.status == "refunded"
    assert theirs.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert theirs.told == ["PaymentVoided", "PaymentCaptured", "PaymentRefunded"]
    assert (provider.net(), provider.times("refund")) == (0, 1)


@pytest.mark.django_db
def test_money_held_after_the_cancellation_is_let_go(theirs, provider):
    provider.settles = "pending"
    theirs.charge(capture=False)
    theirs.void()
    provider.charges[theirs.key].state = "authorized"
    shift_clock("payments", "6 seconds")

    theirs.service.look_again()

    assert (theirs.row.status, provider.charges[theirs.key].state) == ("voided", "cancelled")
    assert theirs.moved == []


@pytest.mark.django_db
@pytest.mark.parametrize("silence", ["before", "after", ProviderFailed("no")])
def test_money_held_after_it_was_declined_is_let_go_though_the_provider_is_silent_at_first(theirs, provider, silence):
    provider.settles = "declined"
    with pytest.raises(PaymentDeclined):
        theirs.charge(capture=False)
    assert theirs.row.look_at is None
    provider.charges[theirs.key].state = "authorized"
    provider.misbehave["cancel"] = [silence]

    theirs.service.webhook(provider="testers", body=theirs.key.encode(), headers={"Signature": "good", "Event": "e1"})
    assert theirs.row.status == "authorized"
    shift_clock("payments", "6 seconds")
    theirs.service.look_again()

    assert (theirs.row.status, provider.charges[theirs.key].state) == ("voided", "cancelled")
    assert (theirs.moved, provider.net()) == ([], 0)


@pytest.mark.django_db
def test_money_held_after_the_cancellation_is_asked_about_until_it_is_let_go(theirs, provider):
    provider.settles = "pending"
    theirs.charge(capture=False)
    theirs.void()
    provider.charges[theirs.key].state = "authorized"
    provider.misbehave["cancel"] = ["before"] * 5

    for seconds in (6, 700, 706, 712, 718):
        shift_clock("payments", f"{seconds} seconds")
        theirs.service.look_again()
        assert theirs.row.status == "authorized"
    shift_clock("payments", "724 seconds")
    theirs.service.look_again()

    assert (theirs.row.status, provider.charges[theirs.key].state) == ("voided", "cancelled")


@pytest.mark.django_db
@pytest.mark.parametrize("looks", [1, 2])
def test_a_late_capture_that_was_written_down_by_one_who_died_is_given_back_by_the_next(theirs, provider, looks):
    provider.settles = "pending"
    theirs.charge()
    theirs.void()
    provider.charges[theirs.key].state = "captured"
    late = theirs.row
    said = Answer(state="captured", reference=late.reference, amount=late.money, refunded=pounds("0.00"))
    assert books.record_answer(late, "inquire", said).status == "captured"

    for look in range(1, looks + 1):
        shift_clock("payments", f"{6 * look} seconds")
        if look < looks:
            books.take_due_looks(limit=1)  # and this one died before it did anything
        else:
            theirs.service.look_again()

    assert theirs.row.status == "refunded"
    assert theirs.moved == [("capture", "25.00"), ("refund", "25.00")]
    assert (provider.net(), provider.times("refund")) == (0, 1)


@pytest.mark.django_db
def test_a_no_that_was_heard_before_the_money_was_held_and_is_told_after_changes_nothing(theirs, provider):
    theirs.charge(capture=False)
    held = theirs.row
    said = Answer(state="declined", reference=held.reference, amount=held.money, refunded=pounds("0.00"))

    assert books.record_answer(held, "charge", said).status == "authorized"

    assert (theirs.row.status, theirs.row.reason, theirs.told) == ("authorized", None, ["PaymentAuthorized"])
    assert theirs.capture().status == "captured"


@pytest.mark.django_db
def test_a_voided_payment_is_looked_at_less_and_less_often_and_not_for_ever(theirs, provider):
    provider.settles = "pending"
    theirs.charge()
    theirs.void()

    looks = []
    for second in (*range(0, 60, 2), 3_600, 90_000, 180_000, 270_000):
        shift_clock("payments", f"{second} seconds")
        theirs.service.look_again()
        looks.append((second, provider.times("look_up")))

    assert 3 <= looks[29][1] <= 4
    assert looks[-1][1] == looks[-2][1]
    assert theirs.row.look_at is None


@pytest.mark.django_db
def test_a_message_that_comes_while_the_provider_is_silent_is_taken_in_and_looked_into_soon(theirs, provider):
    theirs.charge(capture=False)
    provider.misbehave["look_up"] = ["before"]
    provider.charges[theirs.key].state = "cancelled"

    theirs.service.webhook(provider="testers", body=theirs.key.encode(), headers={"Signature": "good", "Event": "e1"})
    assert theirs.row.status == "authorized"
    shift_clock("payments", "6 seconds")
    theirs.service.look_again()

    assert (theirs.row.status, theirs.told[-1]) == ("voided", "PaymentVoided")


# --- The provider's list --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_sandboxes_list_has_each_movement_beside_ours(till):
    other = Till(till.service)
    till.charge(), other.charge(amount="3.00")
    till.service.refund(key="k", charge_key=till.key, amount=pounds("5.00"), reason="")
    Till(till.service).charge(capture=False)

    entries, after = [], None
    while True:
        page = till.service.provider_entries(after=after, limit=2)
        entries += page.items
        after = page.next
        if after is None:
            break

    assert sorted((e.kind, e.key, e.reference, str(e.amount.amount), e.booked == e.amount) for e in entries) == sorted(
        [
            ("capture", till.key, f"ch_{till.key}", "25.00", True),
            ("capture", other.key, f"ch_{other.key}", "3.00", True),
            ("refund", "k", "re_k", "5.00", True),
        ]
    )
    (row,) = [row for row in till.service.audit(after=None, limit=9).items if row.order_id == till.order_id]
    assert [(m.kind, m.reference, m.amount) for m in row.movements] == [
        ("capture", f"ch_{till.key}", pounds("25.00")),
        ("refund", "re_k", pounds("5.00")),
    ]
