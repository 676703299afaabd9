"""
The fence: nobody reads or writes a schema any more but its administrator.

The order decides: first the roles may not log in, then they lose the schema, then their sessions are ended, then one
waits until there are none. A session that was ended later, or not waited for, could still commit after the copy was
made. The same holds for a database where the roles have to stay able to log in, since another database of that server
uses them: they come in and find the schema closed.
"""

from __future__ import annotations

import time
from typing import Any

from psycopg2 import sql

from runtime.databases.marks import Mark, read_mark, write_mark
from runtime.databases.urls import without_password
from runtime.embedded.process import wait_until
from runtime.extraction.errors import InAnothersHands, SessionsRemain
from runtime.extraction.places import session, together

SESSIONS_LIMIT = 15.0


def roles_of(schema: str) -> tuple[str, str]:
    """Who runs it and who owns it."""
    return schema, f"{schema}_owner"


def fence(url: str, schema: str, *, move: str, logins: bool) -> None:
    """
    Close the schema where it is, and end all sessions of its roles. May be run again by the same move.

    ``logins`` is whether the roles may go on logging in to this server: they are the target's too. Raises
    InAnothersHands, SessionsRemain or Unreachable; the schema may be closed then, and ``unfence`` opens it.
    """
    with session(url) as cursor:
        _refuse_anothers(cursor, url, schema, move, "leaving")
        with together(cursor):
            _become_member(cursor, schema)
            if not logins and not _used_elsewhere(cursor, schema):
                _let_log_in(cursor, schema, may=False)
            _run(cursor, schema, "ALTER SCHEMA {schema} OWNER TO CURRENT_USER")
            _run(cursor, schema, "REVOKE ALL ON SCHEMA {schema} FROM {run}, {owner}")
            write_mark(cursor, schema, Mark(state="leaving", move=move))
        _end_sessions(cursor, url, schema)


def unfence(url: str, schema: str, *, move: str) -> None:
    """Open the schema again as it was. Does nothing where this move has not closed it. Raises Unreachable."""
    with session(url) as cursor:
        if read_mark(cursor, schema) != Mark(state="leaving", move=move):
            return
        with together(cursor):
            write_mark(cursor, schema, None)
            _run(cursor, schema, "ALTER SCHEMA {schema} OWNER TO {owner}")
            _run(cursor, schema, "GRANT USAGE ON SCHEMA {schema} TO {run}")
            _let_log_in(cursor, schema, may=True)


def settle(url: str, schema: str, *, move: str) -> None:
    """Write down that what lies here is no longer the truth. It stays closed, until it is dropped."""
    with session(url) as cursor:
        if read_mark(cursor, schema) == Mark(state="leaving", move=move):
            write_mark(cursor, schema, Mark(state="left", move=move))


def set_aside(url: str, schema: str) -> str | None:
    """
    A schema that an earlier move has left here makes room. The answer is its new name; None where there was none.
    """
    with session(url) as cursor:
        mark = read_mark(cursor, schema)
        if mark is None or mark.state != "left":
            return None
        name = f"{schema}_until_{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}"
        cursor.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(schema), sql.Identifier(name)))
        return name


# --- Where the schema arrives -----------------------------------------------------------------------------------------


def close_for_filling(url: str, schema: str, *, move: str) -> None:
    """Only the owner fills it: a process that runs there already finds nothing to write into yet."""
    with session(url) as cursor, together(cursor):
        _run(cursor, schema, "REVOKE ALL ON SCHEMA {schema} FROM {run}")
        write_mark(cursor, schema, Mark(state="arriving", move=move))


def open_filled(url: str, schema: str, *, move: str) -> None:
    """What has arrived may be used. Does nothing where it is open already. Raises InAnothersHands."""
    with session(url) as cursor:
        if read_mark(cursor, schema) is None:
            return
        _refuse_anothers(cursor, url, schema, move, "arriving")
        with together(cursor):
            _run(cursor, schema, "GRANT USAGE ON SCHEMA {schema} TO {run}")
            write_mark(cursor, schema, None)


def drop_filling(url: str, schema: str, *, move: str) -> bool:
    """
    Take away what this move has brought. Whether there was anything.

    A schema without a mark is taken away only where it is empty: then its set-up was broken off.
    """
    with session(url) as cursor:
        mark = read_mark(cursor, schema)
        cursor.execute(
            "SELECT to_regnamespace(%s) IS NOT NULL,"
            " (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(%s))",
            [schema, schema],
        )
        exists, relations = cursor.fetchone()
        ours = mark == Mark(state="arriving", move=move) or (mark is None and relations == 0)
        if not exists or not ours:
            return False
        _run(cursor, schema, "DROP SCHEMA {schema} CASCADE")
        return True


# --- Steps ------------------------------------------------------------------------------------------------------------


def _run(cursor: Any, schema: str, statement: str) -> None:
    run, owner = roles_of(schema)
    names = {"schema": sql.Identifier(schema), "run": sql.Identifier(run), "owner": sql.Identifier(owner)}
    cursor.execute(sql.SQL(statement).format(**names))


def _refuse_anothers(cursor: Any, url: str, schema: str, move: str, state: str) -> None:
    mark = read_mark(cursor, schema)
    if mark is not None and (mark.state, mark.move) != (state, move):
        raise InAnothersHands(schema=schema, where=without_password(url), state=mark.state, move=mark.move)


def _become_member(cursor: Any, schema: str) -> None:
    """To end a role's sessions, or to give it a schema, who is no superuser has to be a member of it."""
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if cursor.fetchone() != (True,):
        _run(cursor, schema, "GRANT {run}, {owner} TO CURRENT_USER")


def _used_elsewhere(cursor: Any, schema: str) -> bool:
    """Whether another database of this server was set up for these roles: a second shop, say."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting AS setting JOIN pg_roles AS role ON role.oid = setting.setrole"
        " JOIN pg_database AS database ON database.oid = setting.setdatabase"
        " WHERE role.rolname = ANY(%s) AND database.datname <> current_database())",
        [list(roles_of(schema))],
    )
    (found,) = cursor.fetchone()
    return bool(found)


def _let_log_in(cursor: Any, schema: str, *, may: bool) -> None:
    for role in roles_of(schema):
        verb = "LOGIN" if may else "NOLOGIN"
        cursor.execute(sql.SQL(f"ALTER ROLE {{}} {verb}").format(sql.Identifier(role)))


def _end_sessions(cursor: Any, url: str, schema: str) -> None:
    roles = list(roles_of(schema))
    left = 0

    def none() -> bool:
        nonlocal left
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE usename = ANY(%s) AND datname = current_database() AND pid <> pg_backend_pid()",
            [roles],
        )
        (left,) = cursor.fetchone()
        return bool(left == 0)

    if not wait_until(none, limit=SESSIONS_LIMIT, every=0.05):
        raise SessionsRemain(count=left, roles=" and ".join(roles), where=without_password(url), limit=SESSIONS_LIMIT)
