"""``manage.py contracts`` writes what the code promises, and says what changed, who breaks by it and what to do."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

ROOT = Path(django_settings.BASE_DIR)
COMMIT = "run manage.py contracts snapshot and commit it"
WRITE = "Run `manage.py contracts snapshot` and commit contracts/schemas."


@pytest.fixture
def schemas(tmp_path: Path, settings: Any) -> Path:
    """A copy of the committed files that the command takes for them."""
    settings.BASE_DIR = tmp_path
    return Path(shutil.copytree(ROOT / "contracts" / "schemas", tmp_path / "contracts" / "schemas"))


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("contracts", *arguments, stdout=out, no_color=True)
    return out.getvalue().splitlines()


def refused(*arguments: str) -> tuple[list[str], str, int]:
    """What it printed, the last sentence, and the exit code."""
    out = io.StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("contracts", *arguments, stdout=out, no_color=True)
    return out.getvalue().splitlines(), str(raised.value), raised.value.returncode


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let another contract have been committed, in the very form that ``snapshot`` writes."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def code_has_one_event_more(found: dict[str, Any]) -> None:
    """As if it was new."""
    del found["events"]["OrderShipped"], found["$defs"]["OrderShipped"]


def code_has_one_field_less(found: dict[str, Any]) -> None:
    """As if it was removed."""
    found["$defs"]["UserErased"]["properties"]["reason"] = {"type": "string"}
    found["$defs"]["UserErased"]["required"].append("reason")


def test_the_committed_files_are_what_the_code_says() -> None:
    assert run("check", "--strict") == ["contracts/schemas is what the code says."]


def test_a_compatible_change_is_named_and_is_no_fault(schemas: Path) -> None:
    rewrite(schemas / "orders.json", code_has_one_event_more)

    assert run("check") == [
        f"compatible   orders  OrderShipped is a new event: {COMMIT}",
        f"Nothing breaks, and orders.json is not what the code says. {WRITE}",
    ]


def test_a_compatible_change_is_a_fault_of_what_is_committed_where_that_is_asked_for(schemas: Path) -> None:
    rewrite(schemas / "orders.json", code_has_one_event_more)

    assert refused("check", "--strict") == (
        [f"compatible   orders  OrderShipped is a new event: {COMMIT}"],
        f"orders.json: not what the code says. {WRITE}",
        1,
    )


@pytest.mark.parametrize("arguments", [("check",), ("check", "--strict")])
def test_a_breaking_change_is_refused_and_comes_before_the_others_in_columns(
    schemas: Path, arguments: tuple[str, ...]
) -> None:
    rewrite(schemas / "inventory.json", lambda found: found["errors"].pop("unknown_sku"))
    rewrite(schemas / "orders.json", lambda found: found["events"]["OrderShipped"].update(version=0))
    rewrite(schemas / "users.json", code_has_one_field_less)

    printed, sentence, code = refused(*arguments)

    assert printed == [
        "BREAKING     users      UserErased.reason was removed: raise the version of UserErased and keep an upcaster",
        "new version  orders     OrderShipped was raised from version 0 to 1: deploy every consumer first (one that"
        f" does not know it parks it) and keep an upcaster; {COMMIT}",
        "compatible   inventory  The error unknown_sku (UnknownSku) is new: who does not know it goes by its kind;"
        f" {COMMIT}",
    ]
    assert sentence == "1 change breaks those who rely on what is committed. Do what the lines above say."
    assert code == 1


def test_a_raised_version_is_a_warning(schemas: Path) -> None:
    rewrite(schemas / "orders.json", lambda found: found["events"]["OrderShipped"].update(version=0))

    first, last = run("check")
    assert first.startswith("new version  orders  OrderShipped was raised from version 0 to 1: deploy every consumer")
    assert last == f"Nothing breaks, and orders.json is not what the code says. {WRITE}"


def test_snapshot_makes_the_files_what_the_code_says(schemas: Path) -> None:
    rewrite(schemas / "orders.json", code_has_one_event_more)
    (schemas / "users.json").unlink()

    assert run("snapshot")[-1] == "Wrote orders.json, users.json."

    assert run("check", "--strict") == ["contracts/schemas is what the code says."]
    for path in (ROOT / "contracts" / "schemas").iterdir():
        assert (schemas / path.name).read_bytes() == path.read_bytes()
    assert run("snapshot") == ["There was nothing to write."]


def test_snapshot_refuses_what_breaks_and_writes_it_only_when_told_to(schemas: Path) -> None:
    rewrite(schemas / "users.json", code_has_one_field_less)
    before = (schemas / "users.json").read_text()

    assert refused("snapshot")[1:] == (
        "1 change breaks those who rely on what is committed."
        " Nothing was written; --accept-breaking writes it all the same.",
        1,
    )
    assert (schemas / "users.json").read_text() == before

    assert run("snapshot", "--accept-breaking")[-1] == "Wrote users.json."
    assert run("check", "--strict") == ["contracts/schemas is what the code says."]


def test_a_domain_that_is_gone_breaks_and_takes_its_file_along(schemas: Path) -> None:
    shutil.copy(schemas / "users.json", schemas / "guests.json")

    printed, sentence, _ = refused("check")
    assert sentence.startswith(
        f"{sum(line.startswith('BREAKING     guests  ') for line in printed)} changes break those"
    )
    assert "BREAKING     guests  guests.get was removed: keep it until nobody calls it" in printed

    run("snapshot", "--accept-breaking")
    assert not (schemas / "guests.json").exists()


def test_a_file_that_says_the_same_in_another_form_is_not_as_committed(schemas: Path) -> None:
    path = schemas / "orders.json"
    path.write_text(json.dumps(json.loads(path.read_text())))

    assert run("check") == [f"Nothing breaks, and orders.json is not what the code says. {WRITE}"]
    assert refused("check", "--strict")[1] == f"orders.json: not what the code says. {WRITE}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"orders\.json is not JSON \(.*\): restore it from the repository\."),
        ("[]", r"orders\.json is not a snapshot of a contract: restore it from the repository\."),
        ('{"events": {}}', r"orders\.json is not a snapshot of a contract: restore it from the repository\."),
    ],
)
@pytest.mark.parametrize("action", ["check", "snapshot"])
def test_a_damaged_file_is_named(schemas: Path, action: str, text: str, sentence: str) -> None:
    (schemas / "orders.json").write_text(text)

    with pytest.raises(CommandError, match=sentence):
        call_command("contracts", action)
