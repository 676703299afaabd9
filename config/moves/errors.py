"""What keeps a domain from being moved. The docstring of each class is its message."""

from __future__ import annotations

from inspect import cleandoc


class MoveRefused(Exception):
    """A domain cannot be moved. Never raised itself: raise one of its kinds."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class UnknownDomain(MoveRefused):
    """{domain!r} is none of {known}."""


class AlreadyExtracted(MoveRefused):
    """{domain} was extracted already, to {where}: absorb it first."""


class NotExtracted(MoveRefused):
    """{domain} was not extracted here, so there is nothing to absorb: TOPOLOGY says which domains share processes."""


class NoTarget(MoveRefused):
    """Say where {domain} shall go: --database-url postgresql://administrator:password@host:port/name"""


class BadAddress(MoveRefused):
    """{option}={value!r} cannot be used: {wanted}."""


class SourceUnknown(MoveRefused):
    """No administrator's URL is known for the database of {domain}: set {setting} or DATABASE_URL."""


class NoServerHere(MoveRefused):
    """There is no server of ours in {folder}: nothing was ever started here with {domain} in it. If something was, say
    how by TOPOLOGY=."""


class AnotherMoves(MoveRefused):
    """Another command moves a domain here at this moment: wait for its end."""


class AnotherIsAtWork(MoveRefused):
    """Process {pid} starts or stops what runs in {state} at this moment: wait for its end, then try again."""


class SupervisorSilent(MoveRefused):
    """What runs in {state} did not {what} within {limit:g} s. Its logs are in {logs}."""


class SupervisorGone(MoveRefused):
    """What runs in {state} has ended meanwhile."""


class GatewayMissing(MoveRefused):
    """{domain} would be in a group by itself, and before several groups stands a gateway: {reason} Run `make setup`."""


class NotReady(MoveRefused):
    """What was to be started is not ready: {why}"""


class BrokenOff(MoveRefused):
    """{why}
    {domain} could not be put back at once ({trouble}). Run `manage.py {kind} {domain}` again: it takes back what is
    left to take back."""


class NotFinished(MoveRefused):
    """{why}
    {domain} is in its new database for good; only the rest is to be done: run `manage.py {kind} {domain}` again."""
