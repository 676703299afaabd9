"""Every capability of runtime has tests of its own, and what grows too long is looked at."""

from __future__ import annotations

import warnings

import pytest

from tests.architecture.shape import capabilities, rather_long
from tests.architecture.source import ROOT

TESTS = ROOT / "tests/runtime"

WITHOUT_TESTS: frozenset[str] = frozenset()
"""Capabilities whose tests are still to be written. This list only ever gets shorter."""


def has_tests(name: str) -> bool:
    return any((TESTS / name).glob("test_*.py"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.xfail(reason="still to be written")] if name in WITHOUT_TESTS else [])
        for name in capabilities(ROOT)
    ],
)
def test_a_capability_has_tests_of_its_own(name: str) -> None:
    assert has_tests(name), f"tests/runtime/{name} has no tests"


def test_there_are_no_tests_of_a_capability_that_is_gone() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and has_tests(path.name)}

    assert folders - set(capabilities(ROOT)) == set()


def test_what_is_rather_long_is_named() -> None:
    """The house's limits, 300 lines and 40, warn; those of the rule too_long, 400 and 60, fail."""
    for sentence in rather_long(ROOT):
        warnings.warn(f"{sentence}: look whether it is two things", stacklevel=1)
