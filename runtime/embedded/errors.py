"""What can go wrong with the embedded servers. The docstring of each class is its message."""

from __future__ import annotations

from inspect import cleandoc


class EmbeddedError(Exception):
    """Something about the embedded servers went wrong. Never raised itself: raise one of its kinds."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class BinariesMissing(EmbeddedError):
    """The package {package} holds no {program} for this machine: run `make setup`, or name a server of your own with
    {setting}."""


class StateUnusable(EmbeddedError):
    """{path} cannot be used: {reason}. Repair it, or name another state directory with STATE_DIR=."""


class CannotBecome(EmbeddedError):
    """PostgreSQL refuses to run as root, and this process cannot become {account!r} ({reason}): run as a plain user, or
    name a server of your own with DATABASE_URL."""


class ServerFailed(EmbeddedError):
    """{name} {reason}. Its log is {log}; the last lines:
    {tail}"""


class StillRunning(EmbeddedError):
    """Another {name} (process {pid}) still holds {folder} and does not stop: end it, then try again."""
