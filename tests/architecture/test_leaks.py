"""
Every way we know to leak from one domain into another (and a few bad manners) is planted, and noticed by whoever is
meant to notice it, and by nobody else: a rule that fires at everything would prove nothing.

LEAKS.md is the table of it, made by ``python -m tests.architecture.summary``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.leaks_by_import import BY_IMPORT
from tests.architecture.leaks_by_name import BY_NAME
from tests.architecture.leaks_of_manners import OF_CONTRACTS, OF_MANNERS
from tests.architecture.planting import RULES, Leak, broken_contracts, copy_of_the_tree, lint_imports, who_notices
from tests.architecture.source import ROOT, Rule
from tests.architecture.summary import FILE, contracts, table

LEAKS = (*BY_IMPORT, *BY_NAME, *OF_MANNERS, *OF_CONTRACTS)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it was when the tests began: somebody may be working on it."""
    return copy_of_the_tree(ROOT, tmp_path_factory.mktemp("pristine"))


@pytest.fixture(scope="module")
def known(pristine: Path) -> set[str]:
    """What is noticed without any leak. It should be nothing, and other tests say so; here it is not counted."""
    return who_notices(pristine)


@pytest.fixture
def copy(pristine: Path, tmp_path: Path) -> Path:
    return copy_of_the_tree(pristine, tmp_path)


def test_the_walls_stand() -> None:
    answer = lint_imports(ROOT)

    assert answer.returncode == 0, answer.stdout
    assert "0 broken" in answer.stdout


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


def test_nobody_notices_anything_in_a_copy_without_a_leak(copy: Path, known: set[str]) -> None:
    assert who_notices(copy) == known == set()


@pytest.mark.parametrize("leak", LEAKS, ids=[leak.what for leak in LEAKS])
def test_a_leak_is_noticed_by_whoever_is_meant_to(leak: Leak, copy: Path, known: set[str]) -> None:
    leak.plant(copy)

    assert who_notices(copy) - known == leak.noticed_by - known


@pytest.mark.parametrize("name", ["service", "handlers", "tasks", "admin"])
def test_a_domain_that_lacks_a_file_of_the_shape_is_noticed(name: str, copy: Path) -> None:
    (copy / "apps/inventory" / f"{name}.py").unlink()

    assert broken_contracts(copy) == {"app-shape"}  # import-linter then says nothing of the others
    assert f"apps/inventory has no {name}" in RULES["same_files_in_every_domain"](copy)


def test_every_contract_and_every_rule_has_a_leak_that_proves_it() -> None:
    proved = frozenset().union(*(leak.noticed_by for leak in LEAKS))

    assert proved == contracts() | set(RULES)


def test_the_table_of_leaks_is_up_to_date() -> None:
    assert FILE.read_text() == table(LEAKS), "run: python -m tests.architecture.summary"
