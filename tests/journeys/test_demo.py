"""`make demo ONCE=1`: the real application, from an empty state directory to a table of orders that ended well."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config.supervision.leftovers import MARK
from runtime.embedded.placement import discard
from runtime.embedded.process import started_with
from runtime.embedded.state import last_run

PROJECT = Path(__file__).resolve().parents[2]
NAMED = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "STATE_DIR", "SECRET_KEY", "SERVICE_KEY", "JWT_SIGNING_KEY")


def test_the_demonstration_ends_as_expected_and_leaves_nothing_running(tmp_path: Path) -> None:
    state = tmp_path / "state"
    kept = {name: value for name, value in os.environ.items() if not name.endswith(NAMED)}
    told = {**kept, "STATE_DIR": str(state), "PORT": "0", "DJANGO_SETTINGS_MODULE": "config.settings"}
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "demo", "--once"],
            cwd=PROJECT,
            env=told,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert "9 of 9 outcomes are the expected ones." in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0
        assert started_with(MARK, str(state)) == []
        assert last_run(state) is None
    finally:
        discard(state)
