"""
How one domain can be tied to another without any import that import-linter would see, a rule for each way.

Exceptions stand in tables here, each with its reason, and a rule also says where an exception is no longer needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import (
    DOMAINS,
    Source,
    argument,
    dotted,
    keyword,
    last_name,
    matches,
    sources,
    text_of,
)

NAMES_OF_MODULES = {
    ("runtime/messaging/subscriptions.py", "apps.{}.handlers.HANDLERS"): "each domain's handlers, found by its name",
    ("config/urls.py", "apps.{}.admin"): "each hosted domain's pages of the console, which register themselves",
    ("config/management/commands/relay.py", "apps.{}.tasks.TIMERS"): "each domain's timers, found by its name",
}
"""Where the path of a module stands as text and is imported."""

LOOKS_UP_MODELS = {"runtime/databases/management/commands/migrate.py": "which of runtime's tables only ever grow"}

_IMPORTERS = {"import_module", "import_string", "__import__", "resolve_name", "run_module", "run_path"}
_RELATIONS = {"ForeignKey", "OneToOneField", "ManyToManyField"}
_REGISTRY = {"get_model", "get_models", "get_app_config", "get_app_configs", "get_containing_app_config"}
_INNER_SETTINGS = {"SERVICES", "CONTRACTS", "DATABASES", "DATABASE_OWNERS", "DATABASE_ADMINS"}
_SQL = r"(?i)\b(select|insert into|update|delete from|truncate|copy|join|alter|drop|create|grant)\b"


def relations(root: Path) -> list[str]:
    """A foreign key stays in its own domain: others are referred to by a bare UUID column."""
    found = []
    for file in sources(root, "apps", "runtime"):
        for call in file.calls:
            if last_name(call.func) in _RELATIONS:
                target = argument(call, 0, "to")
                owner = _owner_of_model(target)
                if owner and owner != file.package:
                    found.append(file.at(call, f"relates to {text_of(target) or dotted(target)}, a model of {owner}"))
            elif last_name(call.func) == "get_user_model" and file.package != "users":
                found.append(file.at(call, "asks for the model of users"))
    return found


def _owner_of_model(target: ast.expr | None) -> str | None:
    """The label in ``"payments.Payment"``; None for a model of the same app and for a class (imports show those)."""
    if dotted(target).endswith("AUTH_USER_MODEL"):
        return "users"
    label, dot, _ = (text_of(target) or "").partition(".")
    return label.lower() if dot else None


def migration_dependencies(root: Path) -> list[str]:
    """A migration waits for migrations of its own app only: another's schema may be on another server."""
    found = []
    for file in sources(root, "apps", "runtime"):
        if not file.is_migration:
            continue
        found += [
            file.at(pair, f"waits for {pair.elts[0].value}")
            for pair in _migration_names(file)
            if isinstance(pair.elts[0], ast.Constant) and pair.elts[0].value != file.package
        ]
        found += [
            file.at(call, "waits for a model that settings choose")
            for call in file.calls
            if last_name(call.func) == "swappable_dependency"
        ]
    return found


def _migration_names(file: Source) -> Iterator[ast.Tuple]:
    for node in file.all(ast.Assign):
        if {"dependencies", "run_before"} & {last_name(target) for target in node.targets}:
            yield from (pair for pair in ast.walk(node.value) if isinstance(pair, ast.Tuple) and len(pair.elts) == 2)


def imports_by_name(root: Path) -> list[str]:
    """Domains import nothing by name, and what runtime finds so is named by a setting."""
    found = []
    for file in sources(root, "apps", "runtime", "config"):
        for call in file.calls:
            if last_name(call.func) not in _IMPORTERS:
                continue
            literal = text_of(argument(call, 0, "name"))
            if file.path.startswith("apps/") or (literal and (file.path, literal) not in NAMES_OF_MODULES):
                found.append(file.at(call, f"imports {literal or 'something'} by name"))
    return found


def names_of_modules_as_text(root: Path) -> list[str]:
    """No text names a module of a domain, of a contract or of config: not as a task's name, not for an import."""
    found, used = [], set()
    for file in sources(root, "apps", "runtime"):
        for node, text in file.texts:
            if not matches(r"^(apps|config|contracts)\.\w", text) and not matches(r"^apps\.\{\}", text):
                continue
            if file.module == "apps" and text == f"apps.{file.package}":
                continue
            if (file.path, text) in NAMES_OF_MODULES:
                used.add((file.path, text))
            else:
                found.append(file.at(node, f"names the module {text}"))
    expected = {place for place in NAMES_OF_MODULES if not place[0].startswith("config/")}
    return found + [f"{path}:0 no longer names {text}: take it off the list" for path, text in expected - used]


def task_names(root: Path) -> list[str]:
    """A task has a name of its own, mitosis.<what it does>: Celery's own choice would be the Python path."""
    return [
        file.at(decorator, "the task has no name of its own")
        for file in sources(root, "apps", "runtime", "config")
        for _, decorator in file.decorators
        if last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) in {"shared_task", "task"}
        and not _has_own_name(decorator)
    ]


def _has_own_name(decorator: ast.expr) -> bool:
    """A name that is a constant is believed here; what Celery has registered in the end, a test asks it."""
    name = keyword(decorator, "name") if isinstance(decorator, ast.Call) else None
    return name is not None and matches(r"^mitosis\.[a-z_]+$", text_of(name) or "mitosis.constant")


def models_by_name(root: Path) -> list[str]:
    """Models are not looked up by name, but by a migration among its own."""
    found = []
    for file in sources(root, "apps", "runtime"):
        for call in file.calls:
            if last_name(call.func) not in _REGISTRY or file.path in LOOKS_UP_MODELS:
                continue
            if not (file.is_migration and text_of(argument(call, 0, "app_label")) == file.package):
                found.append(file.at(call, f"looks a model up with {last_name(call.func)}"))
    return found


def sql_of_others(root: Path) -> list[str]:
    """SQL names tables of its own domain or capability only, and no schema at all: the role's search path has it."""
    tables, found = _tables(root), []
    for file in sources(root, "apps", "runtime"):
        for node, text in file.texts:
            words = {word.lower() for word in re.findall(r"\w+", text)}
            if owners := {tables[word] for word in words & set(tables)} - {file.package}:
                found.append(file.at(node, f"names a table of {' and '.join(sorted(owners))}"))
            elif matches(_SQL, text) and matches(rf"(?i)\b({'|'.join(DOMAINS)}|public)\"?\.\"?[a-z]", text):
                found.append(file.at(node, "names a schema in SQL"))
    return found


def _tables(root: Path) -> dict[str, str]:
    """Each table's owner: Django calls a table after its app and its model."""
    return {
        f"{file.package}_{node.name}".lower(): file.package
        for file in sources(root, "apps", "runtime")
        if file.module == "models"
        for node in file.all(ast.ClassDef)
    }


def aliases_of_others(root: Path) -> list[str]:
    """A domain queries its own alias; runtime queries the one it is told."""
    found = []
    for file in sources(root, "apps", "runtime"):
        for node, text in _aliases(file):
            if text in DOMAINS and not (file.path.startswith("apps/") and text == file.package):
                found.append(file.at(node, f"queries the database of {text}"))
    return found


def _aliases(file: Source) -> Iterator[tuple[ast.AST, str | None]]:
    """Every text that says which database: using("x"), using="x", connections["x"], ALIAS = "x"."""
    for call in file.calls:
        yield call, text_of(keyword(call, "using"))
        if last_name(call.func) in {"using", "db_manager", "database_time", "snapshot"} and call.args:
            yield call, text_of(call.args[0])
    for part in file.all(ast.Subscript):
        if last_name(part.value) == "connections":
            yield part, text_of(part.slice)
    for assignment in file.all(ast.Assign):
        if {"ALIAS", "USING", "DATABASE"} & {last_name(target) for target in assignment.targets}:
            yield assignment, text_of(assignment.value)


def around_contracts(root: Path) -> list[str]:
    """Who implements a contract and how to log in elsewhere is runtime's business: domains call resolve()."""
    return [
        file.at(node, f"reads settings.{node.attr}")
        for file in sources(root, "apps")
        for node in file.all(ast.Attribute)
        if node.attr in _INNER_SETTINGS and last_name(node.value) == "settings"
    ]
