"""Each question to the provider is counted with what came of it."""

from __future__ import annotations

import pytest

from tests.growth import Growth

pytestmark = pytest.mark.django_db

ASKED = "mitosis_provider_duration_seconds_count"


def test_an_answer_and_a_silence_are_told_apart(theirs, provider):
    provider.misbehave["charge"] = ["after"]
    grown = Growth()

    theirs.charge()
    theirs.inquire()

    assert {key[1:]: value for key, value in grown.of(ASKED).items()} == {
        ("charge", "silent"): 1,
        ("inquire", "answered"): 1,
    }
    assert {key[0] for key in grown.of(ASKED)} == {provider.name}
