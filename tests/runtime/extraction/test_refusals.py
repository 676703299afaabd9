"""What cannot be moved is refused with a sentence, and nothing is changed by asking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from runtime.extraction.copying import Tools
from runtime.extraction.errors import (
    InAnothersHands,
    MayNot,
    NotEmpty,
    NothingThere,
    OlderServer,
    SameDatabase,
    ToolsDoNotFit,
    Unreachable,
)
from runtime.extraction.places import Place
from runtime.extraction.relocation import Relocation


@pytest.fixture(autouse=True)
def nothing_changes(source: Any, target: Any) -> Iterator[None]:
    before = source.shape(), target.shape()
    yield
    assert (source.shape(), target.shape()) == before


def test_a_good_pair_of_databases_is_not_refused(source: Any, target: Any, relocation: Any) -> None:
    found, there = relocation(source, target).check()

    assert (found.tables, there.tables, there.exists) == (3, 0, False)


def test_the_same_database_by_another_name_is_refused(source: Any, relocation: Any) -> None:
    parts = urlsplit(source.url)
    same = type(source)(urlunsplit(parts._replace(netloc=parts.netloc.replace("127.0.0.1", "localhost"))))

    with pytest.raises(SameDatabase, match=r"is the database where shelf_gw\d+ is already"):
        relocation(source, same).check()


def test_a_source_without_the_schema_is_refused(neighbour: Any, target: Any, relocation: Any) -> None:
    with pytest.raises(NothingThere, match=r"There is no schema shelf_gw\d+ with tables in postgresql://mitosis@127"):
        relocation(neighbour, target).check()


def test_a_target_that_holds_tables_is_refused(source: Any, neighbour: Any, relocation: Any, schema: str) -> None:
    neighbour.rows("CREATE SCHEMA {schema}; CREATE TABLE {schema}.book (id int)")

    with pytest.raises(NotEmpty, match=rf"holds 1 tables already.*\n?.*DROP SCHEMA {schema} CASCADE"):
        relocation(source, neighbour).check()


@pytest.mark.parametrize("step", ["fence", "prepare"])
def test_what_another_move_has_in_hand_is_refused(
    step: str, source: Any, neighbour: Any, relocation: Any, schema: str
) -> None:
    another = relocation(source, neighbour, move="another")
    another.fence()
    if step == "prepare":
        another.prepare()
        source.rows("COMMENT ON SCHEMA {schema} IS NULL")

    with pytest.raises(InAnothersHands, match=r"by another move \(another\)"):
        relocation(source, neighbour, move="mine").check()

    if step == "prepare":
        source.rows("COMMENT ON SCHEMA {schema} IS 'mitosis leaving another'")
    assert another.undo()


def test_what_was_left_is_not_moved_again(source: Any, neighbour: Any, target: Any, relocation: Any) -> None:
    first = relocation(source, neighbour)
    source.rows("COMMENT ON SCHEMA {schema} IS 'mitosis left long_ago: its data are elsewhere'")

    with pytest.raises(InAnothersHands, match="is marked 'left' by another"):
        first.check()

    source.rows("COMMENT ON SCHEMA {schema} IS NULL")


def test_a_server_that_does_not_answer_is_named_without_its_password(source: Any, relocation: Any) -> None:
    nowhere = type(source)("postgresql://somebody:topsecret@127.0.0.1:1/shop")

    with pytest.raises(Unreachable, match=r"postgresql://somebody@127.0.0.1:1/shop cannot be reached") as raised:
        relocation(source, nowhere).check()

    assert "topsecret" not in str(raised.value)


@pytest.mark.parametrize(
    ("rights", "what"), [("NOCREATEROLE", "make roles"), ("CREATEROLE", "make schemas")], ids=["roles", "schemas"]
)
def test_whoever_may_not_make_roles_or_schemas_is_refused(
    rights: str, what: str, source: Any, target: Any, relocation: Any
) -> None:
    name = f"clerk_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    target.rows(f"CREATE ROLE {name} LOGIN PASSWORD 'word' {rights}")
    parts = urlsplit(target.url)
    host = parts.netloc.rpartition("@")[2]
    clerk = type(target)(urlunsplit(parts._replace(netloc=f"{quote(name)}:word@{host}")))
    try:
        with pytest.raises(MayNot, match=f"{name} may not {what} in"):
            relocation(source, clerk).check()
    finally:
        target.rows(f"DROP ROLE {name}")


def _place(version: int) -> Place:
    return Place(where="here", server="s", database=1, version=version, exists=True, tables=1, size=0, mark=None)


def test_an_older_server_is_refused() -> None:
    with pytest.raises(OlderServer, match=r"here runs PostgreSQL 17, which is older than the 18 of here"):
        Relocation._check_versions(_place(180001), _place(170009))


@pytest.mark.parametrize(
    ("tools", "reads", "writes", "fit"),
    [
        (18, 18, 18, True),
        (18, 17, 18, True),
        (17, 18, 18, False),
        (18, 15, 16, False),
        (16, 15, 16, True),
        (18, 15, 17, True),
        (15, 16, 16, False),
    ],
)
def test_tools_read_what_is_no_newer_and_write_what_knows_their_settings(
    tools: int, reads: int, writes: int, fit: bool
) -> None:
    assert Tools(folder=Path("/nowhere"), major=tools).fits(source=reads, target=writes) is fit


def test_tools_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ToolsDoNotFit, match=r"the source runs 99 and the target 99"):
        Relocation._check_versions(_place(990000), _place(990000))
