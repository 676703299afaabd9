"""A web server tells Consul that it is there, for as long as it is ready, and that it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.users import USERS, UserUnknown
from runtime.calls import resolve
from runtime.calls.routing import _client
from runtime.discovery.announcing import Announcement
from runtime.discovery.consul import Consul
from tests.runtime.calls.neighbours import Neighbour, answer, saying
from tests.runtime.calls.processes import ROOT, Process
from tests.together import wait_until

TOKEN = "a token of Consul's"
READY, NOT_READY = answer(b"{}"), answer(b"{}", status="503 Service Unavailable")


def announcement(consul, port: int, folder: Path) -> Announcement:
    return Announcement(
        Consul(consul.url, token=TOKEN), domains=("depot", "shed"), host="127.0.0.1", port=port, folder=folder
    )


def statuses(consul) -> dict[str, str]:
    return {id_: service["status"] for id_, service in consul.services.items()}


def all_passing(web: Process) -> dict[str, str]:
    return {f"{domain}-127.0.0.1-{web.port}": "passing" for domain in ("users", "inventory", "payments", "orders")}


def test_it_passes_while_it_is_ready_and_not_otherwise(consul, tmp_path):
    said = [READY]
    web = Neighbour(lambda connection: connection.sendall(said[0]) or False)
    here = announcement(consul, web.port, tmp_path)
    ids = {f"{domain}-127.0.0.1-{web.port}" for domain in ("depot", "shed")}

    here.beat()
    assert statuses(consul) == dict.fromkeys(ids, "passing")
    said[0] = NOT_READY
    here.beat()
    assert statuses(consul) == dict.fromkeys(ids, "critical")
    said[0] = READY
    here.beat()
    assert statuses(consul) == dict.fromkeys(ids, "passing")
    web.close()
    here.beat()
    assert statuses(consul) == dict.fromkeys(ids, "critical")

    assert all(request.startswith(b"GET /health/ready ") for _, request in web.requests)
    service = consul.services[f"depot-127.0.0.1-{web.port}"]
    assert (service["Name"], service["Address"], service["Port"]) == ("depot", "127.0.0.1", web.port)
    assert service["Check"]["TTL"] == "15s"
    here.withdraw()
    assert consul.services == {}


def test_a_consul_that_was_away_or_has_forgotten_is_told_again(consul, tmp_path):
    web = Neighbour(saying(READY))
    here = announcement(consul, web.port, tmp_path)
    consul.stop()
    here.beat()
    here.withdraw()
    consul.start()
    here.beat()
    assert len(consul.services) == 2

    consul.stop()
    consul.start()
    assert consul.services == {}
    here.beat()

    assert len(consul.services) == 2
    web.close()


@pytest.fixture
def web(consul, tmp_path):
    process = Process(
        tmp_path,
        DISCOVERY="consul",
        CONSUL_URL=consul.url,
        CONSUL_TOKEN=TOKEN,
        INSIDE_HOST="127.0.0.1",
        DJANGO_SETTINGS_MODULE="config.settings",
        WEB_WORKERS="2",
    )
    yield process
    process.kill()


def test_a_web_server_is_found_by_its_domains_and_is_gone_when_it_ends(consul, web, settings, committed):
    wait_until(lambda: statuses(consul) == all_passing(web), limit=30)

    settings.DISCOVERY, settings.CONSUL_URL, settings.CONSUL_TOKEN = "consul", consul.url, TOKEN
    settings.HOSTED_DOMAINS = ("orders",)
    _client.cache_clear()
    with pytest.raises(UserUnknown):
        resolve(USERS).validate(user_id=uuid4())
    _client.cache_clear()

    web.terminate()
    web.await_end()

    assert consul.services == {}


def test_a_web_server_that_was_killed_does_not_pass_for_long(consul, web, committed):
    wait_until(lambda: statuses(consul) == all_passing(web), limit=30)

    web.kill()

    wait_until(
        lambda: consul.ask("GET", "/v1/health/service/orders?passing=true").json() == [],
        limit=25,
    )


@pytest.mark.parametrize(("name", "given"), [("INSIDE_HOST", {}), ("INSIDE_PORT", {"INSIDE_HOST": "10.0.0.7"})])
def test_a_web_server_that_nobody_could_find_does_not_start(tmp_path, name, given):
    environ = {**os.environ, "DISCOVERY": "consul", "CONSUL_URL": "http://127.0.0.1:1", "STATE_DIR": str(tmp_path)}
    environ.pop("INSIDE_PORT", None)

    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "-b", "127.0.0.1:0", "config.wsgi"],
        cwd=ROOT,
        env={**environ, "DJANGO_SETTINGS_MODULE": "config.settings", **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert f"{name}='' cannot be used: with DISCOVERY=consul it says where other services reach this one." in (
        ended.stderr + ended.stdout
    )
