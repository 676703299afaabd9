"""A schema arrives whole, with its rights, or it stays where it was as it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from runtime.databases.marks import SchemaMoved
from runtime.databases.roles import provision
from runtime.extraction.comparing import NotEqual, fingerprints
from runtime.extraction.errors import CannotLogIn, CopyFailed

ADD = "INSERT INTO {schema}.book (title) VALUES ('One more') RETURNING id"


def test_what_arrives_has_the_rows_the_rights_and_the_next_number_of_what_left(
    source: Any, target: Any, relocation: Any, carry: Any, schema: str
) -> None:
    shape = source.shape()

    carry(relocation(source, target))

    assert target.shape() == shape
    assert fingerprints(target.url, schema) == fingerprints(source.url, schema)
    assert target.rows(ADD, role=schema) == [(301,)]
    # The functions and triggers work there, and what may only grow only grows.
    assert "no such page" in str(target.refusal("INSERT INTO {schema}.reading VALUES (1, 0)", role=schema))
    assert "permission denied" in str(target.refusal('DELETE FROM {schema}."The Log"', role=schema))
    assert target.rows("SELECT {schema}.clock_now() > now() - interval '1 minute'", role=schema) == [(True,)]


def test_the_planner_knows_what_arrived(source: Any, target: Any, relocation: Any, carry: Any) -> None:
    carry(relocation(source, target))

    # A table that nobody has looked at yet has -1.
    tables = "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace"
    assert sorted(target.rows(tables)) == [("The Log", 3), ("book", 300), ("reading", 1000)]


def test_what_was_left_is_closed_to_its_roles_and_stays_so_when_everything_is_set_up_again(
    source: Any, target: Any, relocation: Any, carry: Any, schema: str
) -> None:
    carry(relocation(source, target))

    for role in (schema, f"{schema}_owner"):
        assert "not permitted to log in" in str(source.refusal("SELECT 1", role=role))
    with pytest.raises(SchemaMoved, match="kept until it is dropped"):
        provision(admin_url=source.url, domain=schema, secret_key="whichever")
    assert source.rows("SELECT count(*) FROM {schema}.book") == [(300,)]


def test_the_fence_ends_sessions_and_what_they_had_not_committed(
    source: Any, target: Any, relocation: Any, schema: str
) -> None:
    with closing(psycopg2.connect(source.login(schema))) as busy, busy.cursor() as cursor:
        cursor.execute(f"INSERT INTO {schema}.book (title) VALUES ('Never committed')")

        relocation(source, target).fence()

        with pytest.raises(psycopg2.OperationalError):
            busy.commit()
    assert source.rows("SELECT count(*) FROM {schema}.book") == [(300,)]


def test_a_fence_that_is_lifted_leaves_everything_as_it_was(
    source: Any, target: Any, relocation: Any, schema: str
) -> None:
    shape = source.shape()
    relocation(source, target).fence()
    assert source.shape() != shape

    assert relocation(source, target).undo()

    assert source.shape() == shape
    assert source.rows(ADD, role=schema) == [(301,)]


def test_on_the_same_server_roles_still_log_in_and_find_what_was_left_closed(
    source: Any, neighbour: Any, relocation: Any, carry: Any, schema: str
) -> None:
    carry(relocation(source, neighbour))

    for role in (schema, f"{schema}_owner"):
        assert "permission denied for schema" in str(source.refusal("SELECT * FROM {schema}.book", role=role))
        # Who owned it cannot give it back to himself either.
        assert "permission denied for schema" in str(
            source.refusal("GRANT USAGE ON SCHEMA {schema} TO {schema}", role=role)
        )
    assert neighbour.rows(ADD, role=schema) == [(301,)]


def test_roles_that_another_database_of_the_server_needs_may_still_log_in_there(
    source: Any, neighbour: Any, target: Any, relocation: Any, carry: Any, schema: str
) -> None:
    """Two shops on one server have roles of the same names."""
    provision(admin_url=neighbour.url, domain=schema, secret_key="a secret of the tests of extraction")

    carry(relocation(source, target))

    assert neighbour.rows("SELECT 1", role=schema) == [(1,)]
    assert "permission denied for schema" in str(source.refusal("SELECT * FROM {schema}.book", role=schema))


STEPS = ("fence", "prepare", "copy", "compare")


@pytest.mark.parametrize("last", STEPS)
def test_a_move_that_is_given_up_after_any_step_leaves_the_source_as_it_was_and_nothing_at_the_target(
    last: str, source: Any, target: Any, relocation: Any, carry: Any, schema: str
) -> None:
    shape = source.shape()
    move = relocation(source, target)
    for step in STEPS[: STEPS.index(last) + 1]:
        getattr(move, step)()

    assert move.undo()

    assert source.shape() == shape
    assert target.rows("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == [(0,)]
    assert move.undo(), "taking back what was taken back does nothing"
    assert source.shape() == shape
    carry(relocation(source, target, move="m2"))
    assert target.rows(ADD, role=schema) == [(301,)]


def test_the_target_is_closed_until_it_is_opened(source: Any, target: Any, relocation: Any, schema: str) -> None:
    move = relocation(source, target)
    move.fence()
    move.prepare()
    move.copy()
    assert "permission denied for schema" in str(target.refusal("SELECT * FROM {schema}.book", role=schema))
    with pytest.raises(SchemaMoved, match="it is being filled from another database"):
        provision(admin_url=target.url, domain=schema, secret_key="a secret of the tests of extraction")

    move.open()

    assert target.rows("SELECT count(*) FROM {schema}.book", role=schema) == [(300,)]


def test_an_opened_target_is_not_taken_back(source: Any, target: Any, relocation: Any, carry: Any, schema: str) -> None:
    move = relocation(source, target)
    carry(move)

    move.undo()

    assert target.rows("SELECT count(*) FROM {schema}.book", role=schema) == [(300,)]
    assert "not permitted to log in" in str(source.refusal("SELECT 1", role=schema))


def test_coming_back_sets_aside_what_was_left_there(
    source: Any, target: Any, relocation: Any, carry: Any, schema: str
) -> None:
    shape = source.shape()
    carry(relocation(source, target))
    target.rows(ADD, role=schema)

    back = relocation(target, source, move="m2")
    back.check()
    back.fence()
    aside = back.prepare()
    back.copy()
    back.compare()
    back.open()

    assert aside is not None
    assert aside.startswith(f"{schema}_until_")
    assert source.shape() == shape
    assert source.rows("SELECT count(*) FROM {schema}.book", role=schema) == [(301,)]
    assert source.rows(f"SELECT count(*) FROM {aside}.book") == [(300,)]
    assert "permission denied for schema" in str(source.refusal(f"SELECT * FROM {aside}.book", role=schema))


SECRETLY = {
    "a changed value": "UPDATE {schema}.book SET price = price + 0.01 WHERE id = 7",
    "a row less": 'DELETE FROM {schema}."The Log" WHERE line IS NULL',
    "a row more": "INSERT INTO {schema}.reading VALUES (1, 1)",
    "two rows that became one and another": "UPDATE {schema}.\"The Log\" SET line = 'two' WHERE line IS NULL",
    "a sequence elsewhere": "SELECT setval('{schema}.book_id_seq', 1, false)",
    "a table less": 'DROP TABLE {schema}."The Log"',
    "a column by another name": "ALTER TABLE {schema}.reading RENAME page TO leaf",
    "null and empty": "UPDATE {schema}.\"The Log\" SET line = '' WHERE line IS NULL",
}


@pytest.mark.parametrize("statement", SECRETLY.values(), ids=SECRETLY.keys())
def test_what_differs_is_found_and_named(statement: str, source: Any, target: Any, relocation: Any) -> None:
    move = relocation(source, target)
    move.fence()
    move.prepare()
    move.copy()
    target.rows(statement)

    with pytest.raises(NotEqual, match="What arrived is not what left") as raised:
        move.compare()

    table = next(name for name in ("book_id_seq", "book", "reading", "The Log") if name in statement)
    assert raised.value.compared.different == [table]
    assert table in str(raised.value)


def test_rows_may_lie_in_another_order(source: Any, target: Any, relocation: Any) -> None:
    move = relocation(source, target)
    move.fence()
    move.prepare()
    move.copy()
    # Each is written anew, at the end of its table.
    target.rows("UPDATE {schema}.book SET price = price WHERE id % 2 = 0")
    assert target.rows("SELECT id FROM {schema}.book LIMIT 3") != source.rows("SELECT id FROM {schema}.book LIMIT 3")

    assert move.compare().different == []


def test_a_copy_that_breaks_off_leaves_nothing_of_it(source: Any, target: Any, relocation: Any) -> None:
    source.rows("CREATE FUNCTION public.priced(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'")
    source.rows("CREATE INDEX by_price ON {schema}.book (public.priced(id::int))")
    move = relocation(source, target)
    move.fence()
    move.prepare()

    with pytest.raises(CopyFailed, match=r"pg_restore ended with code 1; it said:\n(.|\n)*public\.priced"):
        move.copy()

    assert target.rows("SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == [(0,)]


def test_each_piece_is_told_and_they_add_up(source: Any, target: Any, relocation: Any) -> None:
    pieces: list[int] = []
    read: list[str] = []
    move = relocation(source, target)
    move.fence()
    move.prepare()

    size = move.copy(moved=pieces.append)
    move.compare(done=read.append)

    assert sum(pieces) == size > 10_000
    assert sorted(read) == ["The Log", "The Log", "book", "book", "reading", "reading"]


def test_a_role_that_cannot_log_in_at_the_target_is_found_before_anything_is_switched(
    source: Any, target: Any, relocation: Callable[..., Any], schema: str
) -> None:
    move = relocation(source, target)
    move.fence()
    move.prepare()
    move.copy()
    target.rows("ALTER ROLE {schema} NOLOGIN")

    with pytest.raises(CannotLogIn, match="SECRET_KEY"):
        move.compare()
