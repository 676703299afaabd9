"""The tester's provider as a process: started, asked what it was asked, killed and started again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.provider.journal import Read, read

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_the_testers_own_secret"
PACE = 0.1
"""Its waiting takes a tenth of the time that its methods say."""


class RunningProvider:
    """``url`` is where it answers, as STRIPE_API_BASE."""

    def __init__(self, folder: Path, *, pace: float = PACE) -> None:
        self.path = folder / "provider.jsonl"
        self.url = ""
        self._pace = pace
        self._port = 0
        self._webhooks = ""
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.provider", "--port", str(self._port), "--journal", str(self.path)]
        command += ["--pace", str(self._pace), "--secret", SECRET, "--webhooks", self._webhooks]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the provider did not start"
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """As a crash does."""
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def announce_to(self, url: str) -> None:
        self._webhooks = url
        self._http.request("POST", f"{self.url}/tester/webhooks", fields={"url": url}, encode_multipart=False)

    def confuse(self, **say: Any) -> None:
        """The next preparation is answered with this instead of what is so."""
        fields = {"say": json.dumps(say)}
        self._http.request("POST", f"{self.url}/tester/confuse", fields=fields, encode_multipart=False)

    def refuse_keys(self, refuse: bool) -> None:
        """Whether every key has expired."""
        fields = {"refuse": "yes" if refuse else "no"}
        self._http.request("POST", f"{self.url}/tester/keys", fields=fields, encode_multipart=False)

    def asked(self, *names: str) -> list[dict[str, Any]]:
        """The questions with one of these in their idempotency key, their words or their address: all without any."""
        answer = self._http.request("GET", f"{self.url}/tester/asked")
        return [one for one in json.loads(answer.data) if not names or any(name in _text(one) for name in names)]

    def journal(self) -> Read:
        return read(self.path)


def _text(question: dict[str, Any]) -> str:
    return json.dumps([question["key"], question["words"], question["path"]])


@contextmanager
def running_provider(**options: Any) -> Iterator[RunningProvider]:
    folder = Path(tempfile.mkdtemp(prefix="mitosis-provider-"))
    provider = RunningProvider(folder, **options)
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def provider() -> Iterator[RunningProvider]:
    """One for all tests: each has keys of its own, and the faults run side by side."""
    with running_provider() as provider:
        yield provider


@pytest.fixture
def own_provider() -> Iterator[RunningProvider]:
    """The test's own, to be killed, or whose list has nothing else in it."""
    with running_provider() as provider:
        yield provider
