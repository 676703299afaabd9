"""A web process among others: takes neighbours through some failures, says its number, and lives until it is told."""

from __future__ import annotations

import os
import sys

from runtime.resilience import CalleePolicy, Verdict
from runtime.resilience.breaker import Breaker
from runtime.resilience.figures import teller


def main() -> None:
    for word in sys.argv[1:]:
        name, _, failures = word.partition("=")
        breaker = Breaker(name=name, policy=lambda: CalleePolicy(failures=3), tell=teller(name))
        for _ in range(int(failures)):
            breaker.leave(breaker.enter(), Verdict.ILL)
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
