"""
One schema's way from a database to another, step by step. Each step may be run again; until the target is opened all
can be taken back.

Who calls decides when, and writes down how far it came: this knows the two databases and nothing of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg2

from runtime.databases.roles import provision, restrict_append_only
from runtime.databases.urls import role_url, without_password
from runtime.extraction import fencing
from runtime.extraction.comparing import Compared, NotEqual, compare
from runtime.extraction.copying import copy, tools_for
from runtime.extraction.errors import (
    CannotLogIn,
    InAnothersHands,
    NotEmpty,
    NothingThere,
    OlderServer,
    SameDatabase,
    Unreachable,
)
from runtime.extraction.places import Place, look, require_rights, session

type Moved = Callable[[int], None]
type Done = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """
    ``source_url`` and ``target_url`` are administrators'. ``append_only`` are tables that the running role only adds
    to.
    """

    schema: str
    source_url: str
    target_url: str
    move: str
    secret_key: str
    append_only: Sequence[str] = ()

    def check(self) -> tuple[Place, Place]:
        """
        That it can be done: nothing is changed by asking. The answer is what stands at the source and at the target.

        Raises an ExtractionError.
        """
        source, target = look(self.source_url, self.schema), look(self.target_url, self.schema)
        if (source.server, source.database) == (target.server, target.database):
            raise SameDatabase(target=target.where, schema=self.schema)
        if source.mark is not None and source.mark.state == "left":
            raise InAnothersHands(schema=self.schema, where=source.where, state="left", move=source.mark.move)
        if not source.tables:
            raise NothingThere(schema=self.schema, where=source.where)
        for place in (source, target):
            if place.mark is not None and place.mark.state != "left" and place.mark.move != self.move:
                mark = place.mark
                raise InAnothersHands(schema=self.schema, where=place.where, state=mark.state, move=mark.move)
        if target.tables and target.mark is None:
            raise NotEmpty(schema=self.schema, where=target.where, tables=target.tables)
        self._check_versions(source, target)
        for url in (self.source_url, self.target_url):
            require_rights(url)
        return source, target

    @staticmethod
    def _check_versions(source: Place, target: Place) -> None:
        if target.major < source.major:
            raise OlderServer(target=target.where, found=target.major, source=source.where, wanted=source.major)
        tools_for(source=source.major, target=target.major)

    def fence(self) -> None:
        """Nobody but the administrator reads or writes the source any more. Raises an ExtractionError."""
        source, target = look(self.source_url, self.schema), look(self.target_url, self.schema)
        fencing.fence(self.source_url, self.schema, move=self.move, logins=source.server == target.server)

    def prepare(self) -> str | None:
        """
        Schema, roles and rights at the target, closed to the running role. What an earlier move left there makes room;
        the answer is its new name. Raises an ExtractionError.
        """
        aside = fencing.set_aside(self.target_url, self.schema)
        provision(admin_url=self.target_url, domain=self.schema, secret_key=self.secret_key)
        fencing.close_for_filling(self.target_url, self.schema, move=self.move)
        with session(self._owner_url) as cursor:
            # The one thing that a set-up makes and the copy brings as well.
            cursor.execute(f'DROP FUNCTION "{self.schema}".clock_now()')
        return aside

    def copy(self, *, moved: Moved = lambda size: None) -> int:
        """All of the schema, and the rights that `migrate` gives. The answer is in bytes. Raises CopyFailed."""
        source, target = look(self.source_url, self.schema), look(self.target_url, self.schema)
        tools = tools_for(source=source.major, target=target.major)
        size = copy(self.source_url, self._owner_url, self.schema, tools=tools, moved=moved)
        restrict_append_only(owner_url=self._owner_url, domain=self.schema, tables=list(self.append_only))
        self._take_statistics()
        return size

    def _take_statistics(self) -> None:
        """A dump brings none, and until autovacuum comes by, the planner would take each table for a small one."""
        with session(self._owner_url) as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [self.schema])
            for (table,) in cursor.fetchall():
                cursor.execute(f'ANALYZE "{self.schema}"."{table}"')

    def compare(self, *, done: Done = lambda name: None) -> Compared:
        """Both sides, row by row, and that the running role can log in at the target. Raises NotEqual, CannotLogIn."""
        compared = compare(self.source_url, self.target_url, self.schema, done=done)
        if compared.different:
            raise NotEqual(compared)
        self._log_in()
        return compared

    def _log_in(self) -> None:
        url = role_url(self.target_url, self.schema, self.secret_key)
        try:
            psycopg2.connect(url, connect_timeout=10).close()
        except psycopg2.OperationalError as error:
            reason = " ".join(str(error).split())
            raise CannotLogIn(role=self.schema, where=without_password(self.target_url), reason=reason) from error

    def open(self) -> None:
        """From here on the target is the truth: it is opened, and the source stays closed until it is dropped."""
        fencing.open_filled(self.target_url, self.schema, move=self.move)
        fencing.settle(self.source_url, self.schema, move=self.move)

    def undo(self) -> bool:
        """
        The source is open again as it was, and the target holds nothing of this move. Not after ``open``.

        The answer is whether the target could be reached; if not, what was brought there lies closed until it is
        dropped. Raises Unreachable where the source cannot be reached.
        """
        fencing.unfence(self.source_url, self.schema, move=self.move)
        try:
            fencing.drop_filling(self.target_url, self.schema, move=self.move)
        except Unreachable:
            return False
        return True

    @property
    def _owner_url(self) -> str:
        return role_url(self.target_url, fencing.roles_of(self.schema)[1], self.secret_key)
