"""The depot behind each transport: in this process, behind a server of threads, and in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from runtime.calls import resolve
from runtime.calls.guards import forget
from runtime.calls.routing import _client
from tests.runtime.calls.asking import PORT
from tests.runtime.calls.depot import DEPOT, DEPOT_CALLERS, Depot
from tests.runtime.calls.neighbours import Neighbour
from tests.runtime.calls.processes import Process


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="session")
def threads() -> Iterator[int]:
    """The port of a server in this process, with the whole project behind it."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("depot"))
    yield process
    process.kill()


@pytest.fixture
def new_process(tmp_path: Path) -> Iterator[Process]:
    """One to kill."""
    process = Process(tmp_path)
    yield process
    process.kill()


@pytest.fixture
def hosting(settings) -> Iterator[None]:
    """This process hosts the depot, also for whoever asks by its inside port."""
    settings.HOSTED_DOMAINS = (*settings.HOSTED_DOMAINS, "depot")
    settings.CONTRACTS = {**settings.CONTRACTS, "depot": "tests.runtime.calls.depot.DEPOT"}
    settings.SERVICES = {**settings.SERVICES, "depot": "tests.runtime.calls.depot.KEPT"}
    settings.CALLERS = {**settings.CALLERS, "depot": DEPOT_CALLERS}
    _client.cache_clear()
    yield
    _client.cache_clear()


@pytest.fixture
def remote(settings) -> Iterator[Callable[..., Depot]]:
    """The depot at this address, whatever is there."""

    def resolved(url: str) -> Depot:
        settings.SERVICE_URLS = {"depot": url}
        _client.cache_clear()
        forget()
        return resolve(DEPOT)

    yield resolved
    _client.cache_clear()
    forget()


@pytest.fixture(params=["local", "threads", "process"])
def depot(request: pytest.FixtureRequest, settings, remote) -> Depot:
    """What ``resolve(DEPOT)`` gives."""
    if request.param == "process":
        return remote(f"http://127.0.0.1:{request.getfixturevalue('process').port}")
    if request.param == "local":
        request.getfixturevalue("hosting")
        return resolve(DEPOT)
    port = settings.INSIDE_PORT = request.getfixturevalue("threads")
    # Asked for as a neighbour, answered as a host.
    client = remote(f"http://127.0.0.1:{port}")
    request.getfixturevalue("hosting")
    return client


@pytest.fixture
def inside(hosting, settings) -> None:
    """This process hosts the depot and answers for it on the inside port."""
    settings.INSIDE_PORT = PORT


@pytest.fixture
def neighbour(remote) -> Iterator[Callable[..., tuple[Neighbour, Depot]]]:
    """A neighbour that behaves like this, and the depot that it passes for."""
    started = []

    def start(behave) -> tuple[Neighbour, Depot]:
        started.append(Neighbour(behave))
        return started[-1], remote(started[-1].url)

    yield start
    for each in started:
        each.close()
