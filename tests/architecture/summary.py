"""``python -m tests.architecture.summary`` writes LEAKS.md: which layer notices which leak."""

from __future__ import annotations

from collections.abc import Iterable
from configparser import ConfigParser
from pathlib import Path

from tests.architecture.planting import RULES, Leak
from tests.architecture.source import ROOT

FILE = Path(__file__).with_name("LEAKS.md")

_HEAD = """\
# Who notices which leak

Made by `python -m tests.architecture.summary` from the leaks that tests/architecture/test_leaks.py plants one by one.
The first two columns are contracts of importlinter.ini and rules of tests/architecture: they speak before anything
runs. The third is what stands in the way when it runs all the same, in a monolith, where one process has every
domain's login. What the router and PostgreSQL refuse is proved in tests/runtime/databases.

| leak | import-linter | architecture test | when it runs |
| --- | --- | --- | --- |
"""


def contracts() -> set[str]:
    ini = ConfigParser()
    ini.read(ROOT / "importlinter.ini")
    return {part.rpartition(":")[2] for part in ini.sections() if ":contract:" in part}


def table(leaks: Iterable[Leak]) -> str:
    return _HEAD + "".join(f"| {' | '.join(_row(leak))} |\n" for leak in leaks)


def _row(leak: Leak) -> tuple[str, str, str, str]:
    walls, rules = leak.noticed_by & contracts(), leak.noticed_by & set(RULES)
    return leak.what, ", ".join(sorted(walls)) or "-", ", ".join(sorted(rules)) or "-", leak.later


if __name__ == "__main__":
    from tests.architecture.test_leaks import LEAKS

    FILE.write_text(table(LEAKS))
