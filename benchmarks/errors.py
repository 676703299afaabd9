"""What keeps a benchmark from giving a figure. The docstring of each class is its message."""

from __future__ import annotations

from inspect import cleandoc


class BenchmarkFailed(Exception):
    """There is no figure. Never raised itself: raise one of its kinds."""

    def __init__(self, **facts: object) -> None:
        super().__init__(cleandoc(type(self).__doc__ or type(self).__name__).format(**facts))


class NoProc(BenchmarkFailed):
    """CPU time is read from /proc, which this system does not have: the benchmark runs on Linux."""


class BadSetting(BenchmarkFailed):
    """{name}={value!r} cannot be used: {wanted}."""


class DidNotStart(BenchmarkFailed):
    """The system did not start within {limit:g} s. Its output and its logs are in {folder}; the last lines:
    {words}"""


class NotDrained(BenchmarkFailed):
    """After {limit:g} s there are still {left}: the CPU they will cost cannot be counted. The logs are in {logs}."""


class OrdersRefused(BenchmarkFailed):
    """Of {orders} orders {refused} were not accepted: {statuses}. A figure over such a run would mean nothing."""


class LoadFailed(BenchmarkFailed):
    """The client that places the orders ended with code {code}:
    {words}"""


class ProgramFailed(BenchmarkFailed):
    """{program} ended with code {code}:
    {words}"""


class OrderNotSeen(BenchmarkFailed):
    """The server's log shows no statement that wrote order {order}: there is nothing to compare with."""
