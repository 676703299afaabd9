"""Plants a leak in a copy of the tree and says who notices: contracts of importlinter.ini, and rules of our own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from tests.architecture import contract_shape, manners, shape, ties
from tests.architecture.source import TREE, Rule

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        ties.relations,
        ties.migration_dependencies,
        ties.imports_by_name,
        ties.names_of_modules_as_text,
        ties.task_names,
        ties.models_by_name,
        ties.sql_of_others,
        ties.aliases_of_others,
        ties.around_contracts,
        manners.unnamed_databases,
        manners.unrouted_queries,
        manners.unrouted_locks,
        manners.questions_at_the_door,
        manners.web_in_domain_code,
        manners.other_clocks,
        manners.floats,
        manners.swallowed_errors,
        manners.unused_exceptions,
        shape.names_that_say_nothing,
        shape.too_long,
        shape.same_files_in_every_domain,
        shape.domain_code_is_listed,
        shape.promises,
        shape.contracts_are_all_known,
        contract_shape.sections_in_order,
        contract_shape.frozen_values,
        contract_shape.methods_with_manners,
        contract_shape.errors_with_codes,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """
    ``code`` goes to the end of the file (which is made where it is missing), or ``instead_of`` a text that it has.

    ``noticed_by`` are the contracts and rules that notice it, and nobody else does. ``later`` says what stands in its
    way when it runs all the same.
    """

    what: str
    file: str
    code: str = ""
    instead_of: str = ""
    noticed_by: frozenset[str]
    later: str = "nothing"

    def plant(self, root: Path) -> None:
        file = root / self.file
        if not self.instead_of:
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text() if file.exists() else ""
            file.write_text(f"{before}\n{self.code}\n")
            return
        text = file.read_text()
        assert text.count(self.instead_of) >= 1, f"{self.file} no longer has {self.instead_of!r}: plant it elsewhere"
        file.write_text(text.replace(self.instead_of, self.code, 1))


def copy_of_the_tree(tree: Path, to: Path) -> Path:
    for folder in TREE:
        shutil.copytree(tree / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(tree / "importlinter.ini", to)
    return to


def who_notices(root: Path) -> set[str]:
    return broken_contracts(root) | {name for name, rule in RULES.items() if rule(root)}


def broken_contracts(root: Path) -> set[str]:
    """The ids of the contracts that lint-imports finds broken."""
    said = lint_imports(root).stdout
    if "Missing layer in container 'apps." in said:  # then it says nothing of the others
        return {"app-shape"}
    ids = _ids_by_name(root)
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)(?: \(.*\))?$", said, re.MULTILINE)
    assert {name for name, _ in verdicts} == set(ids), said
    return {ids[name] for name, verdict in verdicts if verdict == "BROKEN"}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own: it has to import that tree and not the one that is being tested."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--config", "importlinter.ini", "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _ids_by_name(root: Path) -> dict[str, str]:
    ini = ConfigParser()
    ini.read(root / "importlinter.ini")
    start = "importlinter:contract:"
    return {ini[part]["name"]: part.removeprefix(start) for part in ini.sections() if part.startswith(start)}
