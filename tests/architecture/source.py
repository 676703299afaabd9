"""
The tree as the architecture tests read it: every file as a syntax tree, and a sentence with a place for each finding.

A rule is a function from the root of a tree to its findings. It reads the files and imports none of them, so that it
reads a copy with a leak planted in it just as well.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREE = ("apps", "config", "contracts", "runtime")
DOMAINS = ("users", "inventory", "payments", "orders")

Rule = Callable[[Path], list[str]]


@dataclass(frozen=True, slots=True)
class Parsed:
    tree: ast.Module
    nodes: Mapping[type[ast.AST], list[ast.AST]]
    texts: tuple[tuple[ast.AST, str], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``path`` is relative to the root of the tree, with slashes."""

    path: str
    text: str
    parsed: Parsed

    @property
    def tree(self) -> ast.Module:
        return self.parsed.tree

    def all[N: ast.AST](self, *kinds: type[N]) -> Iterator[N]:
        """Every node of these kinds."""
        return (node for kind in kinds for node in self.parsed.nodes.get(kind, ()))  # type: ignore[misc]

    @property
    def calls(self) -> Iterator[ast.Call]:
        return self.all(ast.Call)

    @property
    def decorators(self) -> Iterator[tuple[ast.AST, ast.expr]]:
        """What is decorated, and each of its decorators."""
        for node in self.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
            yield from ((node, decorator) for decorator in node.decorator_list)

    @property
    def imported(self) -> Iterator[tuple[ast.AST, str]]:
        """Every name that is imported, in full: ``django.db.connection``."""
        for statement in self.all(ast.Import):
            yield from ((statement, name.name) for name in statement.names)
        for origin in self.all(ast.ImportFrom):
            yield from ((origin, f"{origin.module}.{name.name}") for name in origin.names)

    @property
    def texts(self) -> tuple[tuple[ast.AST, str], ...]:
        """Every text in the code, without docstrings, each with its node."""
        return self.parsed.texts

    @property
    def package(self) -> str:
        """The domain or the capability it belongs to: ``orders`` for apps/orders/views.py."""
        return self.path.split("/")[1]

    @property
    def module(self) -> str:
        """Its name without the ending: ``views``."""
        return Path(self.path).stem

    @property
    def is_migration(self) -> bool:
        return "/migrations/" in self.path

    def at(self, node: ast.AST | int, what: str) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        return f"{self.path}:{line} {what}"


def sources(root: Path, *folders: str) -> Iterator[Source]:
    """Every Python file below these folders (all four, where none is named), in order. A tree is read once only."""
    wanted = folders or TREE
    return (source for source in _read(root) if source.path.partition("/")[0] in wanted)


@lru_cache(maxsize=4)
def _read(root: Path) -> tuple[Source, ...]:
    files = ((file.relative_to(root).as_posix(), file.read_text()) for folder in TREE for file in _files(root / folder))
    return tuple(Source(path, text, _parsed(text)) for path, text in files)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@cache
def _parsed(text: str) -> Parsed:
    """A tree is read by many rules, and a file that stays the same many times."""
    tree = ast.parse(text)
    everything = tuple(ast.walk(tree))
    nodes: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
    for node in everything:
        nodes[type(node)].append(node)
    return Parsed(tree, nodes, tuple(_texts(everything)))


def _texts(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, str]]:
    skipped = set()
    for node in nodes:
        if isinstance(node, ast.Expr):  # a text that stands alone is a docstring, or explains the name above it
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values if isinstance(part, ast.Constant))
        text = text_of(node)
        if text is not None and id(node) not in skipped:
            yield node, text


# --- Words for syntax trees -----------------------------------------------------------------------------------------


def dotted(node: ast.AST | None) -> str:
    """``transaction.atomic`` for that expression; what is no plain name stands as ``()``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "()"


def last_name(node: ast.AST | None) -> str:
    return dotted(node).rpartition(".")[2]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What a call passes for this parameter, by position or by name."""
    return call.args[position] if len(call.args) > position else keyword(call, name)


def text_of(node: ast.AST | None) -> str | None:
    """The text of a literal; what an f-string puts in stands as ``{}``. None for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "{}" for part in node.values)
    return None


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None
