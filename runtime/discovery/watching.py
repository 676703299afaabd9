"""One domain's source, watched by a thread of its own, so that no call ever waits for a look but the first."""

from __future__ import annotations

import logging
import random
import threading
import time

from runtime.discovery.choosing import Choice
from runtime.discovery.instances import NotFound, Source

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0
"""Seconds between tries while the source cannot be asked."""
_FIRST_PAUSE = 0.2
_BETWEEN_LOOKS = 1.0
"""Seconds at least, however many find somebody gone."""


class Watch:
    """
    Keeps ``choice`` as the source has it. While the source cannot be asked, what it said last is kept.

    The thread begins with the watch and ends with the process.
    """

    def __init__(self, source: Source, *, name: str) -> None:
        self.choice = Choice()
        self._source = source
        self._name = name
        self._looked = threading.Event()
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name=f"discovery-{name}", daemon=True).start()

    def await_first_look(self, seconds: float) -> None:
        """Until the source was asked once, with whatever success; at most so long."""
        if not self._looked.is_set():
            self._looked.wait(seconds)

    def look_again(self) -> None:
        """Somebody who should be there is not: do not wait for the next turn."""
        self._wanted.set()

    def _run(self) -> None:
        failures = 0
        while True:
            self._wanted.clear()
            try:
                self._look()
                if failures:
                    log.info("%s can be looked up again", self._name)
                failures = 0
            except Exception as error:
                # This thread has to outlive whatever a source comes up with.
                failures += 1
                if failures == 1:
                    unexpected = None if isinstance(error, NotFound) else error
                    log.warning("%s is taken as it was known last: %s", self._name, error, exc_info=unexpected)
            self._looked.set()
            self._rest(failures)

    def _look(self) -> None:
        instances = self._source.look()
        if self.choice.update(instances):
            log.info("%s answers at %s", self._name, ", ".join(each.url for each in instances) or "no address")

    def _rest(self, failures: int) -> None:
        if not failures:
            if self._wanted.wait(self._source.pause):
                time.sleep(_BETWEEN_LOOKS)
            return
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures, 10))
        time.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, guards nothing
