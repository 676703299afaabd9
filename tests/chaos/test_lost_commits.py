"""COMMIT was done and its answer was lost: what is asked again finds it done, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from runtime.embedded.placement import discard
from runtime.embedded.postgres import Postgres
from tests.chaos.buyers import Buyers
from tests.chaos.checks import all_is_well
from tests.chaos.commits import LossyCommits
from tests.chaos.conftest import FULL
from tests.chaos.house import STOCK, House
from tests.chaos.test_kills import endless
from tests.shop import wait_until

LOST = 300 if FULL else 4
ONE_IN = 40


def test_commits_whose_answer_is_lost_lose_and_double_nothing(tmp_path: Path, dice) -> None:
    server = Postgres(tmp_path)
    server.start()
    try:
        url = server.url
        proxy = LossyCommits(urlsplit(url).port or 5432, dice=dice)
        with proxy.running():
            lossy = url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/")
            (tmp_path / "house").mkdir()
            with House(tmp_path / "house", DATABASE_URL=lossy, CI="1") as house:
                sku = house.product()
                buyers = Buyers(house.shop, sku, at_once=10)
                buying = buyers.keep_buying(endless(dice))
                try:
                    wait_until(lambda: len(buyers.wishes) >= 10, limit=60)
                    proxy.one_in = ONE_IN
                    wait_until(lambda: proxy.lost >= LOST, limit=60 + LOST)
                finally:
                    proxy.one_in = 0
                    buyers.stop(buying)
                house.await_quiet()

                all_is_well(house, buyers, sku, stock=STOCK)
    finally:
        server.stop()
        discard(tmp_path)
