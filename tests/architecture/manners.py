"""What code does with databases, clocks, money and errors, a rule for each. Exceptions have a reason beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet

from tests.architecture.source import Source, argument, calls, dotted, last_name, matches, sources

DOMAIN_CODE = {"service", "sagas", "queries", "repository", "books", "sandbox", "aggregate", "gateways", "models"}
ENTRY_POINTS = {"urls", "views", "handlers", "tasks", "admin", "serializers"}

OTHER_CLOCKS = {
    ("apps/payments/sandbox.py", "time.time"): "the provider outside has a clock of its own, which signs its webhooks",
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
_WEB = r"^django\.(http|urls|shortcuts|template|views|test|contrib\.(messages|sessions))\b"


# --- Databases ------------------------------------------------------------------------------------------------------


def unnamed_databases(root: Path) -> list[str]:
    """atomic(), on_commit() and their kin name their alias, and nobody takes Django's default connection."""
    found = []
    for file in sources(root, "apps", "runtime", "config"):
        for node in file.nodes:
            if isinstance(node, ast.ImportFrom) and node.module == "django.db":
                found += [file.at(node, "takes the default connection") for n in node.names if n.name == "connection"]
            for decorator in getattr(node, "decorator_list", ()):
                if last_name(decorator) == "atomic":
                    found.append(file.at(decorator, "atomic names no database"))
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
        for call in file.calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "select_for_update"
        and not any(_says_using(part) for part in _behind(call.func.value, file))
    ]


def _behind(expression: ast.expr, file: Source) -> Iterator[ast.expr]:
    """The expression, and what was assigned to it where it is a variable."""
    yield expression
    name = dotted(expression)
    yield from (
        node.value
        for node in file.nodes
        if isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets)
    )


def _says_using(expression: ast.expr) -> bool:
    return any(last_name(call.func) == "using" or _method(call) == "using" for call in calls(expression))


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def questions_at_the_door(root: Path) -> list[str]:
    """Entry points and serializers ask the database nothing: the service does."""
    found = []
    for file in sources(root, "apps"):
        if file.module not in ENTRY_POINTS:
            continue
        for node in file.nodes:
            if isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager", "_base_manager"}:
                found.append(file.at(node, f"queries {dotted(node.value)}"))
            elif isinstance(node, ast.ImportFrom) and node.module == "django.db":
                taken = {name.name for name in node.names} & {"connections", "connection", "transaction"}
                found += [file.at(node, f"takes {name} of django.db") for name in sorted(taken)]
    return found


# --- Transport ------------------------------------------------------------------------------------------------------


def web_in_domain_code(root: Path) -> list[str]:
    """Domain code knows no HTTP. (import-linter sees packages from outside only as a whole, so django.http is here.)"""
    found = []
    for file in _domain_code(root):
        for node in file.nodes:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            found += [file.at(node, f"imports {name}") for name in names if matches(_WEB, name)]
    return found


# --- Time and money -------------------------------------------------------------------------------------------------


def other_clocks(root: Path) -> list[str]:
    """In domain code time is the database's: Now() and database_time(using)."""
    found = []
    for file in _domain_code(root):
        for node in file.nodes:
            names = [dotted(node)] if isinstance(node, ast.Attribute) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{(node.module or '').rpartition('.')[2]}.{name.name}" for name in node.names]
            found += [
                file.at(node, f"{name} is this machine's clock")
                for name in names
                if matches(_CLOCKS, name) and (file.path, name) not in OTHER_CLOCKS
            ]
    return found


def floats(root: Path) -> list[str]:
    """Where money is, there is no float."""
    found = []
    for file in sources(root, "apps", "contracts"):
        for node in file.nodes:
            name = last_name(node.func) if isinstance(node, ast.Call) else ""
            if name == "FloatField":
                found.append(file.at(node, "has a FloatField"))
            elif name == "float" and isinstance(node, ast.Call):
                what = dotted(node.args[0]) if node.args else ""
                if (file.path, what) not in FLOATS:
                    found.append(file.at(node, f"makes a float of {what}"))
    return found


# --- Errors ---------------------------------------------------------------------------------------------------------


def swallowed_errors(root: Path) -> list[str]:
    """Whatever goes wrong is not passed over in silence."""
    found = []
    for file in sources(root):
        for node in file.nodes:
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and _does_nothing(node.body):
                found.append(file.at(node, "passes over every error"))
            elif isinstance(node, ast.Call) and last_name(node.func) == "suppress":
                found += [file.at(node, "suppresses every error") for kind in node.args if _catches_all(kind)]
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
    return (file for file in sources(root, "apps") if file.module in DOMAIN_CODE and not file.is_migration)


def unused_exceptions(root: Path) -> list[str]:
    """An exception that nothing needs any more is struck from its table."""
    texts = {file.path: file.text for file in sources(root, "apps")}
    return [
        f"{path}:0 no longer has {what}: strike the exception"
        for path, what in (*OTHER_CLOCKS, *FLOATS)
        if what not in texts.get(path, "")
    ]
