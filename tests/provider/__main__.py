"""Run it: the first line says where it answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.provider.money import Money
from tests.provider.server import Server
from tests.provider.webhooks import Announcer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.provider", description=sys.modules["tests.provider"].__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument(
        "--webhooks", default="", help="where they go to; POST url=... to /tester/webhooks sets it later"
    )
    parser.add_argument("--secret", default="whsec_the_testers_own_secret")
    parser.add_argument("--seed", type=int, default=1, help="of the dice for webhooks")
    parser.add_argument("--pace", type=float, default=1.0, help="all waiting takes so many times as long")
    given = parser.parse_args()
    announcer = Announcer(url=given.webhooks, secret=given.secret, seed=given.seed, pace=given.pace)
    money = Money(given.journal, pace=given.pace, tell=announcer.tell)
    server = Server(given.port, money, announcer, pace=given.pace)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)  # noqa: T201 - what was asked for
    server.serve_forever(poll_interval=0.05)


main()
