"""What keeps the application from running. The docstring of each class is its message."""

from __future__ import annotations

from inspect import cleandoc


class SupervisorError(Exception):
    """Something keeps the application from running. Never raised itself: raise one of its kinds."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class AlreadyRunning(SupervisorError):
    """Process {pid} already runs everything in {state}{where}: stop it with `make down`, or name another STATE_DIR=."""


class BadPort(SupervisorError):
    """PORT={port!r} is not a port: say a number from 1 to 65535, or 0 for any that is free."""


class NoGateway(SupervisorError):
    """Several groups of domains need a gateway before them, and there can be none: {reason} Mend that (`make setup`
    installs what is missing), or leave TOPOLOGY unset."""


class PortTaken(SupervisorError):
    """PORT={port} on {host} cannot be used ({reason}): end the program that has it, or name another with PORT=, as in
    PORT=8001, or PORT=0 for any that is free."""


class HalfMoved(SupervisorError):
    """A move of {domain} was broken off after it was {step}, and nothing is started half moved. Run `manage.py {kind}
    {domain} --take-up` first: it finishes the move or takes it back, and says which."""


class StartFailed(SupervisorError):
    """{name} {how}. Its log is {log}; the last lines:
    {words}"""


class NotRestarted(SupervisorError):
    """{name} was not started anew: {why}. What ran before goes on."""


class NotReady(SupervisorError):
    """{url} did not answer 200 within {limit:g} s; its last answer was: {answer}. The logs are in {logs}."""


class Interrupted(SupervisorError):
    """Told to stop before everything had started."""


class DoesNotStop(SupervisorError):
    """Process {pid} was asked to stop and still runs after {limit:g} s: end it with `kill -9 {pid}`, then try again."""


class NotRemoved(SupervisorError):
    """STATE_DIR={state} holds more than what was started here and is not removed: name the directory that `up` used."""
