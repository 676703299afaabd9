"""Each domain goes to a database of its own and comes back; what goes wrong on the way leaves the source working."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from config.extracted import read_extracted
from config.supervision.errors import HalfMoved
from config.supervision.processes import Plan
from config.supervision.supervisor import Supervisor
from config.topology import DOMAINS
from runtime.extraction.comparing import NotEqual
from runtime.extraction.journal import STEPS, read_move
from runtime.telemetry.crashpoints import listen
from tests.topologies.moving import Deaf, Moving

SWITCH = STEPS.index("switched")
POINTS = [name for step in STEPS for name in (f"move.before_{step}_is_written", f"move.after_{step}")]


def is_switched(point: str) -> bool:
    """The switch itself comes before it is written down."""
    return POINTS.index(point) >= POINTS.index("move.before_switched_is_written")


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_goes_and_comes_back_with_all_its_rows(domain: str, moving: Moving) -> None:
    moving.domain = domain
    before = moving.data(moving.source)
    assert sum(found.rows for found in before.values()) > 5

    gone = moving.carry_out("extract")

    assert gone.compared is not None
    assert gone.compared.different == []
    assert moving.data(moving.target) == before
    assert (moving.works(moving.source), moving.works(moving.target)) == (False, True)
    assert read_move(moving.state) is None
    extracted = read_extracted(moving.state)
    assert extracted is not None
    assert extracted.away[domain].database == moving.target

    moving.carry_out("absorb")

    assert moving.data(moving.source) == before
    assert (moving.works(moving.source), moving.works(moving.target)) == (True, False)
    assert read_extracted(moving.state) is None
    assert list(moving.state.glob("topology.json")) == []


@pytest.mark.apart
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_it_is_finished_or_taken_back_and_can_be_done_again(point: str, moving: Moving) -> None:
    before = moving.data(moving.source)

    died = moving.manage("extract", moving.domain, "--database-url", moving.target, CRASH_AT=point)

    assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
    watcher = Deaf()
    finished = moving.take_up(watcher)
    if is_switched(point):
        assert finished is not None
        assert (moving.works(moving.source), moving.works(moving.target)) == (False, True)
        assert any("it is finished" in words for words in watcher.said)
    else:
        assert finished is None
        assert (moving.works(moving.source), moving.works(moving.target)) == (True, False)
        assert not moving.is_there(moving.target)
        assert moving.data(moving.source) == before
        assert read_extracted(moving.state) is None
        # Before the first step is written down, nothing was done and nobody needs to know.
        taken_back = any("it is taken back" in words for words in watcher.said)
        assert taken_back is (point != "move.before_planned_is_written")
        moving.carry_out("extract")
    assert moving.data(moving.target) == before
    assert read_move(moving.state) is None


@pytest.mark.apart
@pytest.mark.parametrize("step", STEPS[:SWITCH])
def test_an_error_after_any_step_before_the_switch_is_taken_back_at_once(step: str, moving: Moving) -> None:
    before = moving.data(moving.source)

    def fail(point: str) -> None:
        if point == f"move.after_{step}":
            raise RuntimeError("the disk is full")

    heard = listen(fail)
    try:
        with pytest.raises(RuntimeError, match="the disk is full"):
            moving.carry_out("extract")
    finally:
        listen(heard)

    assert (moving.works(moving.source), moving.is_there(moving.target)) == (True, False)
    assert moving.data(moving.source) == before
    assert read_extracted(moving.state) is None


def test_a_row_changed_behind_its_back_in_the_target_stops_it_and_the_source_works(moving: Moving) -> None:
    before = moving.data(moving.source)

    def change(point: str) -> None:
        if point == "move.after_copied":
            first = "(SELECT min(sku) FROM inventory.inventory_product)"
            moving.rows(moving.target, f"UPDATE inventory.inventory_product SET name = name || '.' WHERE sku = {first}")

    heard = listen(change)
    try:
        with pytest.raises(NotEqual, match="inventory_product"):
            moving.carry_out("extract")
    finally:
        listen(heard)

    assert (moving.works(moving.source), moving.is_there(moving.target)) == (True, False)
    assert moving.data(moving.source) == before
    assert (read_move(moving.state), read_extracted(moving.state)) == (None, None)


def test_nothing_is_started_half_moved(moving: Moving) -> None:
    assert moving.manage("extract", moving.domain, "--database-url", moving.target, CRASH_AT="move.after_copied")

    with pytest.raises(
        HalfMoved, match=r"(?s)A move of inventory was broken off after it was copied.*extract\s+inventory"
    ):
        Supervisor(Plan(processes=()), state=moving.state, environ={"PORT": "0"}, say=lambda _: None).start()

    up = moving.manage("up")
    assert up.returncode == 1
    assert "manage.py extract" in up.stderr


def test_the_command_takes_up_what_was_broken_off_and_says_which(moving: Moving) -> None:
    words = ("extract", moving.domain, "--database-url", moving.target)
    moving.manage(*words, CRASH_AT="move.after_compared")

    back = moving.manage("extract", moving.domain, "--take-up")
    assert back.returncode == 0, back.stderr
    assert "was broken off after it was compared: it is taken back" in back.stdout
    assert moving.works(moving.source)

    moving.manage(*words, CRASH_AT="move.after_switched")
    finished = moving.manage(*words)

    assert finished.returncode == 0, finished.stderr
    assert "was broken off after its switch: it is finished" in finished.stdout
    assert moving.works(moving.target)


def test_the_command_shows_what_was_compared_and_how_to_drop_what_is_left(moving: Moving) -> None:
    done = moving.manage("extract", moving.domain, "--database-url", moving.target)

    assert done.returncode == 0, done.stderr
    assert "tables and sequences are equal" in done.stdout
    assert 'DROP SCHEMA "inventory" CASCADE;' in done.stdout
    products = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["inventory_product"]]
    (count,) = moving.rows(moving.target, "SELECT count(*) FROM inventory.inventory_product")[0]
    assert products[0][1] == str(count)
    assert products[0][-1] == "equal"


def test_a_service_elsewhere_is_written_down_and_called(moving: Moving) -> None:
    moving.carry_out("extract", service_url="http://10.0.0.7:8001")

    shown = moving.manage("topology", "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["topology"] == "users+payments+orders|inventory"
    assert found["places"][1]["inside"] == "http://10.0.0.7:8001"
    assert (moving.works(moving.source), moving.works(moving.target)) == (False, True)


# --- Refused ----------------------------------------------------------------------------------------------------------


def refused(moving: Moving, *words: str, **environ: str) -> str:
    """The sentence. Nothing may have been done."""
    done = moving.manage(*words, **environ)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert moving.works(moving.source)
    assert not moving.is_there(moving.target)
    assert (read_move(moving.state), read_extracted(moving.state)) == (None, None)
    return " ".join(done.stderr.split())


REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown domain": (("extract", "shipping"), "'shipping' is none of users, inventory, payments, orders."),
    "nowhere to go": (("extract", "inventory"), "Say where inventory shall go: --database-url postgresql://"),
    "no address of a database": (
        ("extract", "inventory", "--database-url", "mysql://a:topsecret@b/c"),
        "--database-url='…' cannot be used: '…@b/c' does not look like postgresql://",
    ),
    "no address of a service": (
        ("extract", "inventory", "--database-url", "postgresql://a:b@c/d", "--service-url", "ftp://x"),
        "--service-url='ftp://x' cannot be used: it is the http or https address of an inside port",
    ),
    "nobody answers": (
        ("extract", "inventory", "--database-url", "postgresql://a:topsecret@127.0.0.1:1/d"),
        "The database postgresql://a@127.0.0.1:1/d cannot be reached",
    ),
    "never extracted": (("absorb", "inventory"), "inventory was not extracted here, so there is nothing to absorb"),
}


@pytest.mark.parametrize(("words", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_be_is_refused_with_a_sentence(words: Any, sentence: str, moving: Moving) -> None:
    said = refused(moving, *words)

    assert sentence in said
    assert "topsecret" not in said


def test_the_database_where_it_is_already_is_refused(moving: Moving) -> None:
    said = refused(moving, "extract", "inventory", "--database-url", moving.source)

    assert "is the database where inventory is already: name another." in said


def test_a_source_known_by_its_running_role_alone_is_refused(moving: Moving) -> None:
    from runtime.databases.urls import role_url
    from tests.topologies.moving import SECRET

    login = role_url(moving.source, "inventory", SECRET)
    words = ("extract", "inventory", "--database-url", moving.target)

    said = refused(moving, *words, DATABASE_URL="", INVENTORY_DATABASE_URL=login)

    assert "No administrator's URL is known for the database of inventory: set INVENTORY_DATABASE_URL" in said


def test_a_domain_that_is_away_is_not_extracted_again(moving: Moving) -> None:
    moving.carry_out("extract")

    again = moving.manage("extract", "inventory", "--database-url", moving.target)

    assert again.returncode == 1
    assert "inventory was extracted already, to postgresql://mitosis@127.0.0.1" in again.stderr
    assert moving.works(moving.target)


def test_two_commands_at_once_are_not_let_in(moving: Moving) -> None:
    with moving.mover().at_work():
        said = refused(moving, "extract", "inventory", "--database-url", moving.target)

    assert "Another command moves a domain here at this moment" in said
