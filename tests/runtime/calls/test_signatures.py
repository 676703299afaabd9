"""A service that does not keep its contract's word is named at start, in a sentence for each difference."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from contracts._base import Ref
from contracts.inventory import InventoryService
from runtime.calls import checks, resolve
from runtime.calls.routing import protocol_of
from runtime.calls.signatures import differences, methods_of
from tests.runtime.calls import services
from tests.runtime.calls.services import Boxes

HERE = "tests.runtime.calls.services"


@pytest.mark.parametrize("service", ["Keeps", "InheritsAnImplementation", "MayTakeMore"])
def test_a_service_that_keeps_the_contract_differs_in_nothing(service):
    assert differences(Boxes, getattr(services, service)) == []


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ("Lacks", "Lacks.count is missing"),
        ("InheritsTheBody", "InheritsTheBody.count is missing"),
        ("NotAFunction", "NotAFunction.count is missing"),
        ("LacksAParameter", "LacksAParameter.pack lacks the parameter 'labels'"),
        ("WantsMore", "WantsMore.count wants a parameter 'floor' that the contract does not have"),
        ("TakesByPosition", "TakesByPosition.count takes shelf by position: a wire format has names"),
        ("TakesAnotherType", "TakesAnotherType.count takes shelf as <class 'int'>, the contract says <class 'str'>"),
        ("AnswersAnotherType", "AnswersAnotherType.count answers <class 'str'>, the contract says <class 'int'>"),
    ],
)
def test_each_way_to_break_a_contract_has_its_sentence(service, sentence):
    assert differences(Boxes, getattr(services, service)) == [sentence]


def test_only_public_methods_are_promised():
    assert [method.name for method in methods_of(Boxes)] == ["count", "pack"]


def test_the_check_finds_every_hosted_service_as_its_contract_wants_it():
    assert checks.services_keep_their_contracts(None) == []


def test_the_check_reports_a_service_that_breaks_its_contract(settings):
    settings.HOSTED_DOMAINS = ("boxes",)
    settings.CONTRACTS = {"boxes": f"{HERE}.BOXES"}
    settings.SERVICES = {"boxes": f"{HERE}.LACKS"}

    (found,) = checks.services_keep_their_contracts(None)

    assert (found.id, found.msg) == ("calls.E001", "Lacks.count is missing")
    assert found.hint == "compare it with contracts/boxes.py"
    assert found.is_serious()


def test_the_check_asks_only_for_what_is_hosted_here(settings):
    settings.HOSTED_DOMAINS = ()
    settings.SERVICES = {"boxes": f"{HERE}.LACKS"}

    assert checks.services_keep_their_contracts(None) == []


def test_a_reference_remembers_its_protocol_and_resolves_to_the_service_of_its_domain(settings):
    settings.HOSTED_DOMAINS = ("boxes",)
    settings.SERVICES = {"boxes": f"{HERE}.KEEPS"}
    boxes = Ref[Boxes]("boxes")

    assert protocol_of(boxes) is Boxes
    assert resolve(boxes).count(shelf="a") == 7


def test_a_domain_that_is_not_hosted_here_cannot_be_resolved(settings):
    settings.HOSTED_DOMAINS = ("users",)

    with pytest.raises(ImproperlyConfigured, match="inventory is not hosted here, and INVENTORY_URL is not set"):
        resolve(Ref[InventoryService]("inventory"))


def test_a_reference_without_its_protocol_is_refused_with_how_to_write_it():
    with pytest.raises(ImproperlyConfigured, match=r"write Ref\[SomeService\]\('inventory'\)"):
        resolve(Ref("inventory"))
