"""Where values are heard of: the table and its notices where it is hosted, and an HTTP address elsewhere."""

from __future__ import annotations

import json
import select
from typing import Any, Protocol

import urllib3
from django.conf import settings
from django.db import connections

from runtime.discovery import Instance, choose, told
from runtime.dynconf import store
from runtime.dynconf.values import Snapshot, current
from runtime.identity import service_tokens

__all__ = ["PATH", "WAIT_SECONDS", "NoNews", "OverHttp", "Source", "Table", "Unheard"]

PATH = "/internal/config"
WAIT_SECONDS = 20.0
"""How long it is waited for news before it is asked again in any case."""
_CONNECT_SECONDS = 2.0
_LARGEST_ANSWER = 1024 * 1024


class Unheard(Exception):
    """Nobody could be asked, or what they said cannot be read."""


class NoNews(Exception):
    """Asked, and told that nothing is new. ``waited``: only after the time that was given for it."""

    def __init__(self, *, waited: bool) -> None:
        super().__init__()
        self.waited = waited


class Source(Protocol):
    def hear(self, *, seconds: float) -> Snapshot:
        """
        The values now; after the first time not before there is news, or ``seconds`` are over.

        Raises NoNews, and whatever goes wrong.
        """
        ...


class Table:
    """This process hosts the table: its database tells it of each change. For one thread, whose connection it keeps."""

    def __init__(self) -> None:
        self._listening: Any = None

    def hear(self, *, seconds: float) -> Snapshot:
        connection = connections[settings.DYNAMIC_DOMAIN]
        try:
            connection.ensure_connection()
            raw = connection.connection
            if raw is self._listening:
                if not raw.notifies:
                    select.select([raw], [], [], seconds)
                raw.poll()
                raw.notifies.clear()
            else:
                # First listen, then look: what is changed in between is heard of.
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {store.CHANNEL}")
                self._listening = raw
            return store.read()
        except BaseException:
            self._listening = None
            connection.close()
            raise


class OverHttp:
    """
    Asks a process that hosts the table, with a plain client and times of its own: calls, whose times are values
    themselves, are not used for it.
    """

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(retries=False, maxsize=1)
        self._heard = False

    def hear(self, *, seconds: float) -> Snapshot:
        domain = settings.DYNAMIC_DOMAIN
        instance = choose(domain, seconds=_CONNECT_SECONDS)
        # Whoever waits for news keeps nobody busy: it does not count as a request in flight.
        told(instance, ok=None)
        wait = seconds if self._heard else 0.0
        try:
            answer = self._ask(instance, domain, wait)
            body = answer.read(_LARGEST_ANSWER + 1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._heard = False
            raise Unheard(f"{domain} does not answer: {type(error).__name__}") from error
        finally:
            self._http.clear()
        if answer.status == 304:
            self._heard = True
            raise NoNews(waited=answer.headers.get("Config-Waited") == "1")
        if answer.status != 200:
            self._heard = False
            raise Unheard(f"{domain} answered {answer.status}")
        self._heard = True
        return _snapshot(body)

    def _ask(self, instance: Instance, domain: str, wait: float) -> urllib3.BaseHTTPResponse:
        headers = {
            "Authorization": f"Bearer {service_tokens.issue(audience=domain)}",
            "If-None-Match": current().tag,
            **({"Host": instance.host} if instance.host else {}),
        }
        return self._http.request(
            "GET",
            f"{instance.url}{PATH}?wait={wait:.0f}",
            headers=headers,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=wait + _CONNECT_SECONDS),
            redirect=False,
            preload_content=False,
        )


def _snapshot(body: bytes) -> Snapshot:
    """Raises Unheard for what cannot be one."""
    try:
        found = json.loads(body)
        version, texts = found["version"], found["values"]
        fits = type(version) is int and all(type(key) is str and type(text) is str for key, text in texts.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unheard(f"the answer is not one of ours: {type(error).__name__}") from error
    if not fits or version < 0:
        raise Unheard("the answer is not one of ours")
    return Snapshot(version=version, texts=texts)
