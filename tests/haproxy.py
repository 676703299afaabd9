"""HAProxy for the tests: the wheel has it for Linux; elsewhere it has to be in PATH."""

from __future__ import annotations

import os

import pytest

from runtime.gateway.program import HaproxyMissing, haproxy


def require_haproxy() -> None:
    """Skips, or where REQUIRE_ALL=1 fails, where there is none."""
    try:
        haproxy()
    except HaproxyMissing as missing:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{missing} REQUIRE_ALL=1 says that there has to be one.")
        pytest.skip(str(missing))
