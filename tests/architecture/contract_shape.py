"""
What a contract looks like: values, errors, events, the promise, the reference, in this order; and what each is made of.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import Source, dotted, keyword, last_name, sources

SECTIONS = ("Values", "Errors", "Events", "Promise")
KINDS = {"value": "Values", "error": "Errors", "event": "Events", "protocol": "Promise"}

READS = {"get", "validate", "authenticate", "session", "quote", "inquire", "audit", "provider_entries", "history"}
"""Methods that change nothing. Every other one takes a key."""

_PLAIN = {"str", "int", "bool", "Decimal", "UUID", "datetime", "tuple", "list", "dict", "None", "Money", "Sequence"}
_ERRORS = {"Rejected", "Unavailable", "ContractError"}


def sections_in_order(root: Path) -> list[str]:
    """A docstring of the promise; Values, Errors, Events, Promise, each where it belongs; the Ref closes the file."""
    found = []
    for file in _contracts(root):
        if not ast.get_docstring(file.tree):
            found.append(file.at(1, "does not say what it promises"))
        headings = _headings(file)
        if tuple(headings.values()) != SECTIONS:
            found.append(file.at(1, f"has the sections {', '.join(headings.values())}"))
        for node in _classes(file):
            section = next((name for line, name in reversed(headings.items()) if line < node.lineno), "none")
            if section != KINDS[_kind(node, file)]:
                found.append(file.at(node, f"{node.name} is a {_kind(node, file)} and stands under {section}"))
        found += _references(file)
    return found


def _headings(file: Source) -> dict[int, str]:
    lines = enumerate(file.text.splitlines(), start=1)
    return {number: line.strip("# -") for number, line in lines if line.startswith("# ---")}


def _references(file: Source) -> list[str]:
    last = file.tree.body[-1]
    name = Path(file.path).stem
    if not isinstance(last, ast.Assign) or not isinstance(last.value, ast.Call):
        return [file.at(last, "does not end with its Ref")]
    made = last.value
    right = isinstance(made.func, ast.Subscript) and dotted(made.func.value) == "Ref"
    arguments = [part.value for part in made.args if isinstance(part, ast.Constant)]
    if not right or dotted(last.targets[0]) != name.upper() or arguments != [name]:
        return [file.at(last, f'does not end with {name.upper()} = Ref[...]("{name}")')]
    return []


def frozen_values(root: Path) -> list[str]:
    """Whatever crosses is @dataclass(frozen=True, slots=True, kw_only=True) and made of plain types."""
    found = []
    for file in _contracts(root):
        known = _PLAIN | {node.name for node in _classes(file)}
        for node in _classes(file):
            if _kind(node, file) not in {"value", "event"}:
                continue
            if not any(_is_frozen(decorator) for decorator in node.decorator_list):
                found.append(file.at(node, f"{node.name} is not frozen, slotted and keyword-only"))
            found += [
                file.at(field, f"{node.name}.{dotted(field.target)} has the type {ast.unparse(field.annotation)}")
                for field in node.body
                if isinstance(field, ast.AnnAssign) and not _class_variable(field)
                if not _names(field.annotation) <= known
            ]
    return found


def _is_frozen(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and last_name(decorator.func) == "dataclass"
        and all(
            isinstance(word := keyword(decorator, name), ast.Constant) and word.value is True
            for name in ("frozen", "slots", "kw_only")
        )
    )


def _class_variable(field: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(field.annotation)


def _names(annotation: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


def methods_with_manners(root: Path) -> list[str]:
    """A method takes all by name, says what it does and what it answers, and has a key where it changes anything."""
    found = []
    for file in _contracts(root):
        for protocol in _classes(file):
            if _kind(protocol, file) != "protocol":
                continue
            for method in protocol.body:
                if isinstance(method, ast.FunctionDef):
                    found += [file.at(method, f"{protocol.name}.{method.name} {what}") for what in _faults(method)]
    return found


def _faults(method: ast.FunctionDef) -> list[str]:
    arguments, found = method.args, []
    if (
        [part.arg for part in (*arguments.posonlyargs, *arguments.args)] != ["self"]
        or arguments.vararg
        or arguments.kwarg
    ):
        found.append("takes something by position")
    if not all(part.annotation for part in arguments.kwonlyargs) or method.returns is None:
        found.append("does not say all its types")
    if not ast.get_docstring(method):
        found.append("does not say what it does")
    key = next((part.annotation for part in arguments.kwonlyargs if part.arg == "key"), None)
    if method.name not in READS and dotted(key) != "str":
        found.append("changes something and takes no key")
    return found


def errors_with_codes(root: Path) -> list[str]:
    """Every error of a contract has a stable code of its own, and a docstring, which is its message."""
    found, seen = [], {}
    for file in _contracts(root):
        for node in _classes(file):
            if _kind(node, file) != "error":
                continue
            code = next((_text(part.value) for part in node.body if _assigns(part, "code")), None)
            if code is None or not ast.get_docstring(node):
                found.append(file.at(node, f"{node.name} lacks a code or a message"))
            elif seen.setdefault(code, node.name) != node.name:
                found.append(file.at(node, f"{node.name} has the code of {seen[code]}"))
    return found


def _assigns(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return dotted(statement.target) == name
    return isinstance(statement, ast.Assign) and dotted(statement.targets[0]) == name


def _text(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


# --- What a class is ------------------------------------------------------------------------------------------------


def _contracts(root: Path) -> list[Source]:
    return [file for file in sources(root, "contracts") if file.module not in {"__init__", "_base"}]


def _classes(file: Source) -> list[ast.ClassDef]:
    return [node for node in file.tree.body if isinstance(node, ast.ClassDef)]


def _kind(node: ast.ClassDef, file: Source) -> str:
    """By what it inherits, also by way of another class of the same file."""
    for base in map(last_name, node.bases):
        if base in _ERRORS:
            return "error"
        if base in {"Event", "Protocol"}:
            return base.lower()
        parent = next((other for other in _classes(file) if other.name == base), None)
        if parent is not None:
            return _kind(parent, file)
    return "value"
