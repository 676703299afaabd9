"""What keeps a schema from being moved. The docstring of each class is its message."""

from __future__ import annotations

from inspect import cleandoc


class ExtractionError(Exception):
    """A schema cannot be moved. Never raised itself: raise one of its kinds."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class ToolsMissing(ExtractionError):
    """There is no pg_dump and pg_restore: run `make setup`, or put those of PostgreSQL {version} or later on PATH."""


class Unreachable(ExtractionError):
    """The database {where} cannot be reached: {reason}."""


class MayNot(ExtractionError):
    """{user} may not {what} in {where}: name an administrator's URL, who may make roles and schemas."""


class NothingThere(ExtractionError):
    """There is no schema {schema} with tables in {where}: nothing can be moved from there."""


class NotEmpty(ExtractionError):
    """The schema {schema} in {where} holds {tables} tables already: name a database where there is none, or have it
    dropped there (DROP SCHEMA {schema} CASCADE)."""


class InAnothersHands(ExtractionError):
    """The schema {schema} in {where} is marked {state!r} by another move ({move}): end that one first, with the command
    that began it."""


class SameDatabase(ExtractionError):
    """{target} is the database where {schema} is already: name another."""


class OlderServer(ExtractionError):
    """{target} runs PostgreSQL {found}, which is older than the {wanted} of {source}: data only move to the same
    version or a later one."""


class ToolsDoNotFit(ExtractionError):
    """pg_dump and pg_restore are of PostgreSQL {found}, the source runs {source} and the target {target}: they read
    their own version and older ones, and from 17 on they write to 17 and later only. Put those of {wanted} on PATH."""


class ReadOnly(ExtractionError):
    """{where} is a standby and only reads: name the primary server."""


class SessionsRemain(ExtractionError):
    """{count} sessions of {roles} in {where} do not end within {limit:g} s although they were told to."""


class CopyFailed(ExtractionError):
    """{program} ended with code {code}; it said:
    {words}"""


class CannotLogIn(ExtractionError):
    """{role} cannot log in to {where}: {reason}. The password follows from SECRET_KEY, which has to be the same."""
