"""
Public keys that another service publishes: fetched over HTTP, believed for five minutes, kept on disk.

The address is configuration's and never a token's. Whoever comes with a known key is never kept waiting: what is stale
is fetched anew beside him, and while that fails the last good keys hold, also after a restart.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from runtime.embedded.errors import StateUnusable
from runtime.embedded.state import make_private, read_json, write_json
from runtime.identity.jwk import BadKeySet, keys_in, published

__all__ = ["FIRST_PAUSE_SECONDS", "PAUSE_SECONDS", "STALE_SECONDS", "PublishedKeys"]

log = logging.getLogger(__name__)

STALE_SECONDS = 300.0
"""A key is published this long before it signs, so that the fetch in time finds it."""
PAUSE_SECONDS = 10.0
"""Between two fetches at least, however many tokens with unknown keys come in."""
FIRST_PAUSE_SECONDS = 1.0
"""The same while no key is known at all and every token has to be refused."""
_PATIENCE_SECONDS = 2.0
_LARGEST_ANSWER = 256 * 1024
_PIECE = 65_536


class PublishedKeys:
    """The keys at one address. Threads may share it; a process that forks makes one in each child."""

    def __init__(self, url: str, *, kept_in: Path | None = None) -> None:
        """``kept_in`` is the file with the last good keys; what stands there from another address is not believed."""
        self._url = url
        self._kept_in = kept_in
        self._keys: Mapping[str, RSAPublicKey] = self._kept()
        self._stale_at = self._next_fetch = time.monotonic()
        self._fetching = threading.Lock()

    def known(self) -> Mapping[str, RSAPublicKey]:
        """What is believed now. Never waits; what is stale is fetched meanwhile."""
        if self._keys and time.monotonic() >= self._stale_at:
            self._fetch_beside()
        return self._keys

    def fetched(self) -> Mapping[str, RSAPublicKey]:
        """What is believed, or where nothing is known yet, what is published now. Waits for that one answer."""
        if not self._keys:
            self.find("")
        return self._keys

    def find(self, kid: str) -> RSAPublicKey | None:
        """
        The key of this name. One that is not known is asked for, now, unless that was done a moment ago.

        While some keys are known only one caller at a time waits for that, two seconds at most for each step; the
        others are told at once that there is no such key.
        """
        key = self.known().get(kid)
        if key is not None:
            return key
        if self._fetching.acquire(timeout=0 if self._keys else 2 * _PATIENCE_SECONDS):
            try:
                self._fetch()
            finally:
                self._fetching.release()
        return self._keys.get(kid)

    # --- Over HTTP --------------------------------------------------------------------------------------------------

    def _fetch_beside(self) -> None:
        if time.monotonic() < self._next_fetch or not self._fetching.acquire(blocking=False):
            return

        def fetch() -> None:
            try:
                self._fetch()
            finally:
                self._fetching.release()

        threading.Thread(target=fetch, name="published-keys", daemon=True).start()

    def _fetch(self) -> None:
        """For whoever holds the lock. Keeps what is known where nothing good comes back."""
        now = time.monotonic()
        if now < self._next_fetch:
            return
        try:
            keys = keys_in(_document(self._url))
        except (BadKeySet, urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            self._next_fetch = time.monotonic() + (PAUSE_SECONDS if self._keys else FIRST_PAUSE_SECONDS)
            log.warning("no keys from %s (%s): %d are known", self._url, error, len(self._keys))
            return
        self._next_fetch, self._stale_at = time.monotonic() + PAUSE_SECONDS, time.monotonic() + STALE_SECONDS
        changed, self._keys = keys.keys() != self._keys.keys(), keys
        if changed:
            self._keep()

    # --- On disk ----------------------------------------------------------------------------------------------------

    def _kept(self) -> Mapping[str, RSAPublicKey]:
        try:
            kept = read_json(self._kept_in) if self._kept_in else None
            return keys_in(kept) if kept and kept.get("url") == self._url else {}
        except (StateUnusable, BadKeySet) as error:
            log.warning("the keys in %s are not used: %s", self._kept_in, error)
            return {}

    def _keep(self) -> None:
        if self._kept_in is None:
            return
        try:
            make_private(self._kept_in.parent)
            write_json(self._kept_in, {"url": self._url, **published(self._keys)})
        except StateUnusable as error:
            # The keys are good all the same; only a restart during an outage will miss them.
            log.warning("the keys of %s cannot be kept: %s", self._url, error)


def _document(url: str) -> Any:
    """Raises HTTPError, OSError or ValueError for whatever is not a whole answer within the time."""
    until = time.monotonic() + _PATIENCE_SECONDS
    timeout = urllib3.Timeout(connect=_PATIENCE_SECONDS, read=_PATIENCE_SECONDS)
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "GET",
            url,
            headers={"Accept": "application/json"},
            timeout=timeout,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        if answer.status != 200:
            raise BadKeySet(f"the answer was {answer.status}")
        body = b""
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > _LARGEST_ANSWER or time.monotonic() > until:
                raise BadKeySet("the answer was too large or too slow")
    return json.loads(body)
