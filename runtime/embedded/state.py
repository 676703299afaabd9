"""
The state directory: where everything lives that was started here, what runs at this moment, and its secrets.

All files are for their owner only. Each is replaced as a whole, so that a reader never sees half of one.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as randomness
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NotRequired, TypedDict, cast

from runtime.embedded.errors import StateUnusable
from runtime.embedded.process import is_alive

RUN_FILE = "run.json"
SECRETS_FILE = "secrets.json"
MARK = "MITOSIS_SUPERVISED"
"""In the environment of every process that a supervisor starts; its value is the state directory."""
_BESIDE_MANAGE_PY = Path(__file__).resolve().parents[2]


class RunningProcess(TypedDict):
    """One process that was started; its pid leads a process group of its own."""

    name: str
    domains: list[str]
    pid: int
    started: int | None


class Owner(TypedDict):
    """The supervisor that wrote the file."""

    pid: int
    started: int | None


class RunningGroup(TypedDict):
    """The domains that are hosted together, and where they answer: customers and other services, each on its port."""

    domains: list[str]
    http: str
    inside: str


class RunFile(TypedDict):
    """
    What runs. ``started`` are start times in the system's ticks, None on a system that does not tell.

    ``groups`` are named as in their processes' names; ``gateway`` has its ``http`` and its ``metrics``. ``resting`` is
    the move for which processes were stopped, ``followed`` the latest whose outcome was put into practice, ``failure``
    why it could not be in full; ``heeded`` counts how often something new was looked at.
    """

    http: str
    databases: dict[str, str]
    broker: str
    cache: str
    processes: list[RunningProcess]
    state: Literal["starting", "ready"]
    supervisor: Owner
    metrics: NotRequired[str]
    topology: NotRequired[str]
    groups: NotRequired[dict[str, RunningGroup]]
    gateway: NotRequired[dict[str, str]]
    heeded: NotRequired[int]
    resting: NotRequired[str]
    followed: NotRequired[str]
    failure: NotRequired[str]


def state_dir(environ: Mapping[str, str]) -> Path:
    """STATE_DIR, or ``var`` beside manage.py. A relative one is beside manage.py too, wherever the command is run."""
    return _BESIDE_MANAGE_PY / (environ.get("STATE_DIR") or "var")


def make_private(folder: Path) -> Path:
    """The folder, made for its owner only if it was not there. Raises StateUnusable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateUnusable(path=folder, reason=error.strerror) from error
    return folder


# --- Secrets --------------------------------------------------------------------------------------------------------


def secrets(folder: Path) -> dict[str, str]:
    """
    The secrets of the embedded default, generated once for each state directory.

    Any number of processes may ask at once and all get the same. Raises StateUnusable.
    """
    kept = read_json(folder / SECRETS_FILE)
    if kept is not None and _SECRETS.keys() <= kept.keys():
        return cast(dict[str, str], kept)
    with locked(make_private(folder) / "secrets.lock"):
        kept = read_json(folder / SECRETS_FILE) or {}
        missing = {name: generate() for name, generate in _SECRETS.items() if name not in kept}
        if missing:
            write_json(folder / SECRETS_FILE, {**kept, **missing})
        return {**kept, **missing}


def _word() -> str:
    return randomness.token_urlsafe(32)


def _rsa_key() -> str:
    # Imported here: nearly every start finds the key on disk, and the import costs more than reading it.
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


_SECRETS = {
    "SECRET_KEY": _word,
    "JWT_SIGNING_KEY": _rsa_key,
    "SERVICE_KEY": _word,
    "SANDBOX_WEBHOOK_SECRET": _word,
    "POSTGRES_PASSWORD": _word,
    "VALKEY_PASSWORD": _word,
}


# --- What runs ------------------------------------------------------------------------------------------------------


def read_run(folder: Path) -> RunFile | None:
    """What runs here, or None where nothing does: no file, or the supervisor that wrote it is dead."""
    run = last_run(folder)
    if run is None or not is_alive(run["supervisor"]["pid"], run["supervisor"]["started"]):
        return None
    return run


def last_run(folder: Path) -> RunFile | None:
    """What was started here last and has not been stopped in order, whether it is alive or not."""
    run = read_json(folder / RUN_FILE)
    return cast(RunFile, run) if run is not None and "supervisor" in run else None


def write_run(folder: Path, run: RunFile) -> None:
    write_json(folder / RUN_FILE, run)


def forget_run(folder: Path) -> None:
    (folder / RUN_FILE).unlink(missing_ok=True)


# --- Files for their owner only -------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no such file. Raises StateUnusable where it cannot be read."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise StateUnusable(path=path, reason=reason) from error
    if not isinstance(found, dict):
        raise StateUnusable(path=path, reason="it holds no JSON object")
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file as a whole. Raises StateUnusable."""
    write_private(path, json.dumps(content, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole, readable by its owner only. Raises StateUnusable."""
    try:
        # mkstemp's file is 0600 from its first moment.
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise StateUnusable(path=path, reason=error.strerror) from error


# --- Locks ----------------------------------------------------------------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for this lock file and hold it. The system lets go of it when the holder dies. Raises StateUnusable."""
    with _open_lock(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_at_once(path: Path) -> Iterator[bool]:
    """Hold this lock file, or answer False at once where somebody else does. Raises StateUnusable."""
    with _open_lock(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def sole_owner(folder: Path) -> Iterator[int | None]:
    """
    Be the only one who starts and stops things here: yields None, or the process that already is. Raises StateUnusable.
    """
    with _open_lock(make_private(folder) / "supervisor.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Zero while the other one is about to write it.
            yield int(file.read() or 0)
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield None


def _open_lock(path: Path) -> IO[str]:
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    except OSError as error:
        raise StateUnusable(path=path, reason=error.strerror) from error
