"""The image is built from the Dockerfile, holds what runs and nothing else, and is a shop: `make image` runs this."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2
import pytest
import urllib3

from tests.deploy.building import NAME, PROJECT, Builder, require_builder
from tests.deploy.composing import make_secrets, ours, read_services

pytestmark = [pytest.mark.image, pytest.mark.timeout(900), pytest.mark.xdist_group("image")]

REVISION = "0123456789abcdef0123456789abcdef01234567"
PASSWORD = "a long password of the operator's"
DATABASE = "image"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    require_builder()
    builder = Builder(folder=tmp_path_factory.mktemp("image"))
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    builder.make_base(base)
    builder.build(VERSION="1.2.3", REVISION=REVISION, CREATED="2026-11-23T12:00:00Z")
    yield builder
    builder.run("rm", "--all")
    builder.run("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def made(builder: Builder) -> dict[str, Any]:
    """What the image says of itself."""
    return json.loads(builder.run("inspect", "--type", "image", NAME))["Docker"]["config"]


class Container:
    """One container, in which processes are run as the image would run them, each with a STATE_DIR of its own."""

    def __init__(self, builder: Builder, made: dict[str, Any]) -> None:
        self.builder = builder
        self.name = builder.run("from", NAME)
        self.root = Path(builder.run("mount", self.name))
        self.entry = made["Entrypoint"]
        self.check = made["Healthcheck"]["Test"][1:]

    def words(self, env: dict[str, str], *words: str) -> list[str]:
        told = [f"{name}={value}" for name, value in env.items()]
        return self.builder.words("run", "--isolation", "chroot", self.name, "--", "env", *told, *words)

    def ask(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(env or {}, *words), capture_output=True, text=True, check=False, env=self.builder.environment
        )

    def start(self, name: str, *words: str, env: dict[str, str]) -> Running:
        return Running(self, name, words, env)


class Running:
    def __init__(self, container: Container, name: str, words: tuple[str, ...], env: dict[str, str]) -> None:
        self.name, self.env = name, {**env, "STATE_DIR": f"/var/lib/mitosis/{name}"}
        self._container = container
        pid = f"/var/lib/mitosis/{name}.pid"
        script = f'echo $$ > {pid}; exec "$@"'
        started = container.words(self.env, "sh", "-c", script, "sh", *container.entry, *words)
        self._log = container.builder.folder / f"{name}.log"
        with self._log.open("w") as log:
            self._child = subprocess.Popen(started, stdout=log, stderr=log, env=container.builder.environment)
        self._pid = container.root / pid.lstrip("/")

    def is_healthy(self) -> bool:
        """As the image's own HEALTHCHECK sees it."""
        return self._container.ask(*self._container.check, env=self.env).returncode == 0

    def await_health(self) -> None:
        _until(self.is_healthy, lambda: f"{self.name} is not healthy:\n{self.said()}", ends=self._child)

    def said(self) -> str:
        return self._log.read_text()[-4000:]

    def stop(self) -> int:
        """SIGTERM, as an orchestrator sends it; the exit code."""
        if self._child.poll() is None:
            os.kill(int(self._pid.read_text()), signal.SIGTERM)
        return self._child.wait(timeout=30)


def _until(holds: Callable[[], bool], words: Callable[[], str], ends: subprocess.Popen[bytes] | None = None) -> None:
    limit = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < limit, words()
        assert ends is None or ends.poll() is None, words()
        time.sleep(0.3)


@pytest.fixture(scope="module")
def container(builder: Builder, made: dict[str, Any]) -> Container:
    return Container(builder, made)


def _ports(number: int) -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [str(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return found


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """An administrator's address of an empty database."""
    admin = os.environ["TEST_ADMIN_URL"]
    connection = psycopg2.connect(admin)
    connection.autocommit = True
    connection.cursor().execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
    yield urlunsplit(urlsplit(admin)._replace(path=f"/{DATABASE}"))
    connection.cursor().execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    connection.close()


@pytest.fixture(scope="module")
def told(database: str) -> dict[str, Any]:
    """The services of compose.yaml, each told what it is told there; only addresses are this machine's."""
    secrets = {**make_secrets(), "SECRET_KEY": os.environ["SECRET_KEY"], "OPERATOR_PASSWORD": PASSWORD}
    services = ours(read_services(secrets))
    doors = {name: _ports(2) for name in services if not name.endswith(("-migrate", "-seed"))}
    at = {f"{name}:{port}": f"127.0.0.1:{doors[name][n]}" for name in doors for n, port in enumerate((8000, 8001))}
    at |= {"postgres:5432/mitosis": f"127.0.0.1:{urlsplit(database).port}/{DATABASE}"}
    whole = {
        "BROKER_URL": f"{os.environ['TEST_VALKEY_URL']}/14",
        "CACHE_URL": f"{os.environ['TEST_VALKEY_URL']}/15",
        "DATABASE_URL": database,
        "TRUSTED_PROXIES": "127.0.0.1",
        # There is no collector.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
    }

    def here(text: str) -> str:
        for there, address in at.items():
            text = text.replace(f"dns:{there}", address).replace(there, address)
        return text

    def env(name: str, given: dict[str, str]) -> dict[str, str]:
        found = {key: whole.get(key, here(value)) for key, value in given.items()}
        return found | (dict(zip(("PORT", "INSIDE_PORT"), doors[name], strict=True)) if name in doors else {})

    return {
        name: {"words": [here(word) for word in each["command"]], "env": env(name, each["environment"])}
        for name, each in services.items()
    }


# --- What is in it --------------------------------------------------------------------------------------------------


def test_it_says_of_which_commit_it_is_and_nothing_of_the_moment(made):
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in made["Labels"].items()}
    assert {name: labels[name] for name in ("title", "version", "revision", "created")} == {
        "title": "Mitosis",
        "version": "1.2.3",
        "revision": REVISION,
        "created": "2026-11-23T12:00:00Z",
    }


def test_it_is_somebody_without_rights_who_can_write_into_his_own_folder_alone(made, container):
    assert made["User"] == "10001:10001"
    asked = container.ask("sh", "-c", "id -u; find / -xdev -writable -not -type l -not -path '/proc/*' 2>/dev/null")
    uid, *writable = asked.stdout.split()
    assert uid == "10001"
    places = ("/var/lib/mitosis", "/tmp", "/var/tmp", "/dev", "/run/lock", "/sys", "/proc")
    assert [path for path in writable if not path.startswith(places)] == []


def test_nothing_in_it_builds_or_installs_anything(container):
    tools = "gcc cc c++ ld make git pip pip3 uv"
    asked = container.ask("sh", "-c", f"command -v {tools}; python -c 'import pip'; ls /app /app/docs; ls /build")
    code = ["/app:", "__pycache__", "apps", "config", "contracts", "docs", "manage.py", "runtime"]
    # Of the documents, those that a process shows.
    assert asked.stdout.split() == [*code, "/app/docs:", "openapi.json", "runbook.md"]
    assert "No module named 'pip'" in asked.stderr


def test_no_secret_of_the_build_is_left(container):
    asked = container.ask("sh", "-c", "cat /etc/pip.conf; ls /wheels; env")
    assert "find-links" not in asked.stdout
    assert ".whl" not in asked.stdout
    assert "KEY=" not in asked.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say what to run: web, worker, relay, gateway"),
        (("worker", "--queues=orders"), "worker takes no arguments: '--queues=orders' is one."),
        (("web",), "SECRET_KEY='' cannot be used"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_sentence(container, words, sentence):
    asked = container.ask(*container.entry, *words, env={"DATABASE_URL": "postgresql://a@127.0.0.1:1/b"})
    assert asked.returncode != 0
    assert sentence in asked.stdout + asked.stderr


# --- What it does ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(container, told) -> list[tuple[str, int]]:
    """The commands of a first deployment, in their order, with what each exited with."""

    def run(name: str, *words: str) -> tuple[str, int]:
        asked = container.ask(*container.entry, *words, env=told[name]["env"])
        return " ".join((name, *words)), asked.returncode

    return [
        run("shop-web", "migrate", "--check"),
        run("shop-migrate", "migrate"),
        run("shop-web", "migrate", "--check"),
        run("payments-web", "migrate", "--check"),
        run("payments-migrate", "migrate"),
        run("payments-web", "migrate", "--check"),
        run("shop-seed", "seed"),
    ]


def test_who_waits_for_the_migrations_is_let_in_after_them_and_not_before(prepared):
    assert prepared == [
        ("shop-web migrate --check", 1),
        ("shop-migrate migrate", 0),
        ("shop-web migrate --check", 0),
        ("payments-web migrate --check", 1),
        ("payments-migrate migrate", 0),
        ("payments-web migrate --check", 0),
        ("shop-seed seed", 0),
    ]


@pytest.fixture(scope="module")
def shop(container, told, prepared) -> Iterator[dict[str, Any]]:
    """Two groups and the gateway before them; ``url`` is the gateway's."""
    names = [name for name in told if not name.endswith(("-migrate", "-seed"))]
    running: dict[str, Running] = {}
    # As depends_on has it, the gateway comes last.
    for name in sorted(names, key=lambda name: name == "gateway"):
        if name == "gateway":
            for each in running.values():
                each.await_health()
        running[name] = container.start(name, *told[name]["words"], env=told[name]["env"])
    running["gateway"].await_health()
    yield {"url": f"http://127.0.0.1:{told['gateway']['env']['PORT']}", "running": running}
    for each in running.values():
        each.stop()


def _post(url: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    answer = urllib3.request("POST", url, json=body, headers=headers, timeout=30, retries=False)
    return answer.status, answer.json()


@pytest.fixture(scope="module")
def customer(shop) -> dict[str, str]:
    """The headers of somebody who is signed in."""
    who = {"email": "customer@shop.example", "password": "a long password of a customer's"}
    _until(lambda: urllib3.request("GET", f"{shop['url']}/health/ready", retries=False).status == 200, lambda: "")
    assert _post(f"{shop['url']}/api/users", {**who, "name": "A customer"})[0] == 201
    status, tokens = _post(f"{shop['url']}/api/users/token", who)
    assert status == 200
    return {"Authorization": f"Bearer {tokens['access']}"}


def _order(shop: dict[str, Any], customer: dict[str, str], method: str) -> tuple[int, dict[str, Any]]:
    body = {"items": [{"sku": "TEA-SENCHA", "quantity": 2}], "paymentMethod": method}
    return _post(f"{shop['url']}/api/orders", body, **customer, **{"Idempotency-Key": str(uuid4())})


def test_an_order_is_placed_through_the_gateway(shop, customer):
    status, order = _order(shop, customer, "pm_card_visa")
    assert (status, order["status"]) == (201, "confirmed")
    assert order["totalAmount"] == {"amount": "25.00", "currency": "GBP"}


def test_worker_and_relay_do_what_the_web_server_left_to_them(shop, customer):
    status, order = _order(shop, customer, "pm_card_async")
    assert (status, order["status"]) == (202, "pending")
    address = f"{shop['url']}/api/orders/{order['id']}"

    def confirmed() -> bool:
        return urllib3.request("GET", address, headers=customer).json()["status"] == "confirmed"

    _until(confirmed, lambda: "\n".join(each.said() for each in shop["running"].values()))


def test_a_token_is_known_to_the_gateway_which_was_told_no_secret(shop):
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    answer = urllib3.request("GET", f"{shop['url']}/api/orders", headers=forged, retries=False)
    assert (answer.status, answer.json()["code"]) == (401, "invalid_token")


def test_figures_are_on_the_inside_port_whatever_name_they_are_asked_by(shop, told):
    for name in ("shop-web", "payments-web", "gateway"):
        inside = f"http://127.0.0.1:{told[name]['env']['INSIDE_PORT']}/metrics"
        by_address = urllib3.request("GET", inside, headers={"Host": "10.1.2.3:8001"}, retries=False)
        assert (by_address.status, by_address.data.startswith(b"# HELP")) == (200, True), name
    public = f"http://127.0.0.1:{told['shop-web']['env']['PORT']}/metrics"
    assert urllib3.request("GET", public, headers={"Host": "10.1.2.3"}, retries=False).status == 404


def test_the_books_hold_and_a_command_finds_every_group(shop, container, told):
    """As in a pod: ``python manage.py verify`` beside the web server, which stays what it is."""
    web = told["shop-web"]["env"] | {"STATE_DIR": "/var/lib/mitosis/shop-web"}
    asked = container.ask("python", "manage.py", "verify", env=web)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert shop["running"]["shop-web"].is_healthy()


@pytest.mark.parametrize("name", ["payments-worker", "payments-relay", "payments-web"])
def test_told_to_stop_a_role_ends_in_time_and_with_zero(shop, name):
    """The last one: nobody is there afterwards."""
    running = shop["running"][name]
    before = time.monotonic()
    assert running.stop() == 0, running.said()
    assert time.monotonic() - before < 20
    assert not running.is_healthy() or not name.endswith("-web")
