"""Two groups behind one gateway: people and things together, parcels alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime.gateway.site import Group
from runtime.identity.keys import verifying_keys
from tests.haproxy import require_haproxy
from tests.runtime.gateway.doors import Backend, Door, site_of


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """The wheel has HAProxy for Linux; elsewhere it has to be in PATH."""
    require_haproxy()


@pytest.fixture(scope="session")
def keys() -> dict[str, str]:
    """The public keys that this process's tokens are checked with."""
    found = verifying_keys().by_kid
    return {
        kid: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for kid, key in found.items()
    }


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="mitosis-gateway-"))
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def started(folder: Path) -> Iterator[Callable[..., Any]]:
    """``started(Door, site)``: whatever has a ``stop`` is stopped in the end."""
    with ExitStack() as stack:

        def start(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
            found = make(*args, **options)
            stack.callback(lambda: found.stop())
            return found

        yield start


@pytest.fixture(scope="module")
def people(folder: Path, started: Callable[..., Any]) -> Backend:
    found: Backend = started(Backend, folder, "people")
    return found


@pytest.fixture(scope="module")
def parcels(folder: Path, started: Callable[..., Any]) -> Backend:
    found: Backend = started(Backend, folder, "parcels")
    return found


@pytest.fixture(scope="module")
def groups(people: Backend, parcels: Backend) -> tuple[Group, ...]:
    return (
        Group(domains=("people", "things"), servers=(people.server,)),
        Group(domains=("parcels",), servers=(parcels.server,)),
    )


@pytest.fixture(scope="module")
def shared_door(folder: Path, groups: tuple[Group, ...], keys: dict[str, str], started: Callable[..., Any]) -> Door:
    found: Door = started(Door, site_of(folder / "gateway", groups, keys))
    return found


@pytest.fixture
def door(shared_door: Door, people: Backend, parcels: Backend) -> Door:
    """The gateway of the module, and nobody has asked anything yet."""
    people.forget()
    parcels.forget()
    return shared_door
