"""
A schema that moves, or has moved away, says so itself: in a comment that goes with it wherever it is restored.

Whoever sets up roles and rights looks at it first, so that no start with old settings opens again what was left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from psycopg2 import sql

type State = Literal["leaving", "arriving", "left"]

_WORDS = {
    "leaving": "it is being moved to another database",
    "arriving": "it is being filled from another database",
    "left": "its data are in another database now; this is what was there before, kept until it is dropped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is happening to a schema, and by which move."""

    state: State
    move: str


class SchemaMoved(Exception):
    """A schema is not to be used here, since it is being moved or has moved away."""

    def __init__(self, schema: str, mark: Mark) -> None:
        super().__init__(
            f"The schema {schema} in this database is not to be used: {_WORDS[mark.state]} (move {mark.move})."
        )


def read_mark(cursor: Any, schema: str) -> Mark | None:
    cursor.execute("SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace')", [schema])
    (comment,) = cursor.fetchone()
    words = (comment or "").replace(":", " ").split()
    if len(words) < 3 or words[0] != "mitosis" or words[1] not in _WORDS:
        return None
    return Mark(state=cast(State, words[1]), move=words[2])


def write_mark(cursor: Any, schema: str, mark: Mark | None) -> None:
    """As the schema's owner."""
    comment = f"mitosis {mark.state} {mark.move}: {_WORDS[mark.state]}" if mark else None
    cursor.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(comment)))
