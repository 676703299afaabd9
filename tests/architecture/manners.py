"""What code does with databases, clocks, money and errors, a rule for each. Exceptions have a reason beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet

from tests.architecture.shape import ENTRY_POINTS, domain_code
from tests.architecture.source import Source, argument, calls, dotted, last_name, matches, sources

OTHER_CLOCKS = {
    ("apps/payments/sandbox.py", "time.time"): "the provider outside has a clock of its own, which signs its webhooks",
    ("apps/payments/stripe_webhooks.py", "time.time"): "Stripe's clock signs, and its SDK compares it with this one",
}
FLOATS = {
    ("apps/payments/sandbox.py", "signed_at"): "the time in a webhook's signature, and no amount",
}

_TRANSACTIONS = {
    # name: where its ``using`` stands among the arguments
    "atomic": 0,
    "on_commit": 1,
    "get_connection": 0,
    "get_autocommit": 0,
    "set_autocommit": 1,
    "commit": 0,
    "rollback": 0,
    "savepoint": 0,
    "savepoint_commit": 1,
    "savepoint_rollback": 1,
    "set_rollback": 1,
    "mark_for_rollback_on_error": 0,
}
_QUERIES = {name for name in dir(QuerySet) if not name.startswith("_")} - {"using"}
_CLOCKS = r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|timezone\.(now|localtime|localdate)|time\.(time|time_ns))$"
_DATABASE = r"^django\.db\.(connections?|transaction)$"
_WEB = r"^django\.(http|urls|shortcuts|template|views|test|contrib\.(messages|sessions))\b"


# --- Databases ------------------------------------------------------------------------------------------------------


def unnamed_databases(root: Path) -> list[str]:
    """atomic(), on_commit() and their kin name their alias, and nobody takes Django's default connection."""
    found = []
    for file in sources(root, "apps", "runtime", "config"):
        found += [
            file.at(node, "takes the default connection")
            for node, name in file.imported
            if name == "django.db.connection"
        ]
        found += [
            file.at(node, "atomic names no database")
            for node, decorator in file.decorators
            if last_name(decorator) == "atomic"
        ]
        found += [
            file.at(call, f"{last_name(call.func)}() names no database")
            for call in file.calls
            if _is_of_transactions(call) and argument(call, _TRANSACTIONS[last_name(call.func)], "using") is None
        ]
    return found


def _is_of_transactions(call: ast.Call) -> bool:
    name = dotted(call.func)
    return name in {"atomic", "on_commit"} or (
        name.startswith("transaction.") and name.removeprefix("transaction.") in _TRANSACTIONS
    )


def unrouted_queries(root: Path) -> list[str]:
    """A query says .using() first. (A manager's own methods say it inside.)"""
    return [
        file.at(call, f"{dotted(call.func)}() does not say using()")
        for file in sources(root, "apps", "runtime", "config")
        if not file.is_migration
        for call in file.calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in _QUERIES
        and matches(r"(^|\.)(objects|_default_manager|_base_manager)$", dotted(call.func.value))
    ]


def unrouted_locks(root: Path) -> list[str]:
    """select_for_update() stands behind .using(), in the same expression or in what its variable was given."""
    return [
        file.at(call, "select_for_update() does not say using()")
        for file in sources(root, "apps", "runtime", "config")
        if "select_for_update" in file.text
        for function in file.all(ast.FunctionDef, ast.AsyncFunctionDef)
        for call in calls(function)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "select_for_update"
        and not any(_says_using(part) for part in _behind(call.func.value, function))
    ]


def _behind(expression: ast.expr, function: ast.AST) -> Iterator[ast.expr]:
    """The expression, and what was assigned to it where it is a variable of this function."""
    yield expression
    name = dotted(expression)
    yield from (
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets)
    )


def _says_using(expression: ast.expr) -> bool:
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "using" for call in calls(expression))


def questions_at_the_door(root: Path) -> list[str]:
    """Entry points and serializers ask the database nothing: the service does."""
    found = []
    for file in sources(root, "apps"):
        if file.module not in ENTRY_POINTS:
            continue
        found += [file.at(node, f"takes {name}") for node, name in file.imported if matches(_DATABASE, name)]
        found += [
            file.at(node, f"queries {dotted(node.value)}")
            for node in file.all(ast.Attribute)
            if node.attr in {"objects", "_default_manager", "_base_manager"}
        ]
    return found


# --- Transport ------------------------------------------------------------------------------------------------------


def web_in_domain_code(root: Path) -> list[str]:
    """Domain code knows no HTTP. (import-linter sees packages from outside only as a whole, so django.http is here.)"""
    return [
        file.at(node, f"imports {name}")
        for file in _domain_code(root)
        for node, name in file.imported
        if matches(_WEB, name)
    ]


# --- Time and money -------------------------------------------------------------------------------------------------


def other_clocks(root: Path) -> list[str]:
    """In domain code time is the database's: Now() and database_time(using)."""
    return [
        file.at(node, f"{name} is this machine's clock")
        for file, node, name in _clocks(root)
        if (file.path, name) not in OTHER_CLOCKS
    ]


def _clocks(root: Path) -> Iterator[tuple[Source, ast.AST, str]]:
    for file in _domain_code(root):
        for node in file.all(ast.Attribute):
            if matches(_CLOCKS, dotted(node)):
                yield file, node, dotted(node)
        for statement, name in file.imported:
            if matches(_CLOCKS, name):
                yield file, statement, name


def floats(root: Path) -> list[str]:
    """Where money is, there is no float."""
    return [
        file.at(node, f"makes a float of {what}" if what else "has a field for floats")
        for file, node, what in _floats(root)
        if (file.path, what) not in FLOATS
    ]


def _floats(root: Path) -> Iterator[tuple[Source, ast.AST, str]]:
    for file in sources(root, "apps", "contracts"):
        for call in file.calls:
            if last_name(call.func) == "FloatField":
                yield file, call, ""
            elif last_name(call.func) == "float":
                yield file, call, dotted(call.args[0]) if call.args else "()"


def unused_exceptions(root: Path) -> list[str]:
    """An exception that nothing needs any more is struck from its table."""
    needed = {(file.path, what) for file, _, what in (*_clocks(root), *_floats(root))}
    return [f"{path}:0 no longer has {what}" for path, what in (*OTHER_CLOCKS, *FLOATS) if (path, what) not in needed]


# --- Errors ---------------------------------------------------------------------------------------------------------


def swallowed_errors(root: Path) -> list[str]:
    """Whatever goes wrong is not passed over in silence."""
    found = []
    for file in sources(root):
        found += [
            file.at(handler, "passes over every error")
            for handler in file.all(ast.ExceptHandler)
            if _catches_all(handler.type) and _does_nothing(handler.body)
        ]
        found += [
            file.at(call, "suppresses every error")
            for call in file.calls
            if last_name(call.func) == "suppress" and any(map(_catches_all, call.args))
        ]
    return found


def _catches_all(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(kind is None or last_name(kind) in {"Exception", "BaseException"} for kind in kinds)


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def _domain_code(root: Path) -> Iterator[Source]:
    names = domain_code(root)
    return (file for file in sources(root, "apps") if file.module in names and not file.is_migration)
