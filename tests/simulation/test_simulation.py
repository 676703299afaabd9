"""Runs of a shop in trouble, each from a seed: see tests/simulation/world.py. ``make simulate SEED=n`` tells one."""

from __future__ import annotations

import pytest

from tests.simulation.running import simulation


@pytest.fixture(scope="module")
def play(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), simulation() as run:
        yield run


SEEDS, CHUNK = 120, 20


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_whatever_fails_the_shop_ends_well(play, first):
    for seed in range(first, first + CHUNK):
        result = play(seed)
        assert not result.broken, story(result)


def test_the_same_seed_is_the_same_story(play):
    first, second = play(7), play(7)

    assert first.trace == second.trace
    assert len(first.trace) > 50


def story(result) -> str:
    return "\n".join([f"seed {result.seed}", *result.trace, *result.broken])
