"""
A small door for whoever looks after a worker or a relay: its figures, and the probes of an orchestrator.

A web server has all this on its inside port. Here nothing of the shop is served.
"""

from __future__ import annotations

import inspect
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_resolver
from prometheus_client import CONTENT_TYPE_LATEST

from runtime.telemetry.metrics import exposition

__all__ = ["figures", "open_door"]

log = logging.getLogger(__name__)


def figures(request: HttpRequest) -> HttpResponse:
    """What this process and its children have counted. What the databases say is for the web servers to tell."""
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def open_door() -> ThreadingHTTPServer | None:
    """
    Answer at PROBE_BIND from a thread of its own, for as long as this process lives; None where no such place is set.

    Raises OSError where the place is taken.
    """
    if settings.PROBE_BIND is None:
        return None
    server = (_Door6 if ":" in settings.PROBE_BIND[0] else ThreadingHTTPServer)(settings.PROBE_BIND, _Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


class _Door6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _Answers(BaseHTTPRequestHandler):
    """Two verbs, and the addresses of PROBE_URLCONF."""

    timeout = 10
    """Seconds for somebody who says nothing."""

    def do_GET(self) -> None:
        response = _answer(self.path)
        self.send_response(response.status_code)
        for name, value in response.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.content)

    do_HEAD = do_GET  # noqa: N815 - the library's name for it

    def log_message(self, *words: Any) -> None:
        """A probe comes every second: nothing is said of it."""


def _answer(path: str) -> HttpResponse:
    path = path.partition("?")[0]
    about = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "probes", "SERVER_PORT": "0"}
    try:
        match = get_resolver(settings.PROBE_URLCONF).resolve(path)
        view: Callable[..., Any] = match.func
        answering = async_to_sync(view) if inspect.iscoroutinefunction(view) else view
        answer: HttpResponse = answering(WSGIRequest({**about, "wsgi.input": BytesIO()}), **match.kwargs)
        return answer
    except Http404:
        return HttpResponse("Nothing is here.\n", status=404, content_type="text/plain")
    except Exception:  # whoever probes is told no, and the log why
        log.exception("a probe could not be answered")
        return HttpResponse("This failed: the log says why.\n", status=500, content_type="text/plain")
