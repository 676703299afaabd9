"""How files are called, how long they are, and what every domain and every capability has."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path

from tests.architecture.source import DOMAINS, sources

LONGEST_FILE, LONGEST_FUNCTION = 400, 60
"""Beyond these a test fails. What is beyond the next two asks to be looked at."""
LONG_FILE, LONG_FUNCTION = 300, 40

ENTRY_POINTS = {"urls", "views", "handlers", "tasks", "admin", "serializers", "page", "keeping", "actions", "story"}
OPEN_TO_VIEWS = {"service", "aggregate", "wishes", "gateways"}
"""The service, and plain Python that asks no database."""

_DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc", "shared", "tools", "lib"}


def names_that_say_nothing(root: Path) -> list[str]:
    """No module is called utils: whatever is put into it would not be found again."""
    return [
        f"{file.path}:1 has a name that says nothing"
        for file in sources(root)
        if _DRAWERS & {part.strip("_") for part in file.path.removesuffix(".py").split("/")}
        and file.path != "contracts/_base.py"
    ]


def too_long(root: Path) -> list[str]:
    """No file has more than 400 lines, no function more than 60."""
    return _longer(root, lines=LONGEST_FILE, function=LONGEST_FUNCTION)


def rather_long(root: Path) -> list[str]:
    return _longer(root, lines=LONG_FILE, function=LONG_FUNCTION)


def _longer(root: Path, *, lines: int, function: int) -> list[str]:
    found = []
    for file in sources(root):
        if file.is_migration:
            continue
        if (length := len(file.text.splitlines())) > lines:
            found.append(file.at(1, f"has {length} lines"))
        for node in file.all(ast.FunctionDef, ast.AsyncFunctionDef):
            first = min((part.lineno for part in node.decorator_list), default=node.lineno)
            if (length := (node.end_lineno or first) - first + 1) > function:
                found.append(file.at(node, f"{node.name}() has {length} lines"))
    return found


def same_files_in_every_domain(root: Path) -> list[str]:
    """Every domain has the files of the shape, and none that the shape does not name. (Also what imports nothing.)"""
    required, optional = app_shape(root)
    found = []
    for domain in sorted({*DOMAINS, *(path.parent.name for path in (root / "apps").glob("*/__init__.py"))}):
        here = {
            path.stem for path in (root / "apps" / domain).iterdir() if path.name not in {"__init__.py", "__pycache__"}
        }
        found += [f"apps/{domain} has no {name}" for name in sorted(required - here)]
        found += [
            f"apps/{domain} has {name}, which the shape does not name" for name in sorted(here - required - optional)
        ]
    return found


def app_shape(root: Path) -> tuple[set[str], set[str]]:
    """What every app has, and what an app may have, as importlinter.ini says it."""
    names = re.findall(r"\(?\w+\)?", _ini(root)["importlinter:contract:app-shape"]["layers"])
    optional = {name.strip("()") for name in names if name.startswith("(")}
    return {name for name in names if not name.startswith("(")}, optional


def _ini(root: Path) -> ConfigParser:
    ini = ConfigParser()
    ini.read(root / "importlinter.ini")
    return ini


def domain_code(root: Path) -> set[str]:
    """What of an app is neither an entry point nor made for Django."""
    required, optional = app_shape(root)
    return (required | optional) - ENTRY_POINTS - {"apps", "migrations"}


def domain_code_is_listed(root: Path) -> list[str]:
    """A name that is new in the shape stands in the two contracts of importlinter.ini that list domain code, too."""
    ini = _ini(root)
    lists = {
        "views-stay-thin": (ini["importlinter:contract:views-stay-thin"]["forbidden_modules"], OPEN_TO_VIEWS),
        "domain-knows-no-transport": (ini["importlinter:contract:domain-knows-no-transport"]["source_modules"], set()),
    }
    return [
        f"importlinter.ini:0 {contract} does not list {name}"
        for contract, (listed, exempt) in lists.items()
        for name in sorted(domain_code(root) - exempt - set(re.findall(r"apps\.\*\.(\w+)", listed)))
    ]


def capabilities(root: Path) -> list[str]:
    return sorted(path.parent.name for path in (root / "runtime").glob("*/__init__.py"))


def promises(root: Path) -> list[str]:
    """Every capability of runtime says in its docstring, in one sentence before anything else, what it promises."""
    found = []
    for name in capabilities(root):
        text = ast.get_docstring(ast.parse((root / "runtime" / name / "__init__.py").read_text())) or ""
        sentence = text.partition("\n\n")[0]
        if not sentence.endswith(".") or re.search(r"[.!?]\s", sentence):
            found.append(f"runtime/{name} promises {sentence!r}, which is not one sentence")
    return found


def contracts_are_all_known(root: Path) -> list[str]:
    """importlinter.ini lists the contracts one by one: a new one has to be written down there."""
    here = {path.stem for path in (root / "contracts").glob("*.py")}
    return [f"contracts/{name}.py is in no list" for name in sorted(here - {*DOMAINS, "_base", "__init__"})]
