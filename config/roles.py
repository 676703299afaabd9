"""
What a process of a deployment does, by its first word: the entry point of the image.

    python -m config.roles web | worker | relay
    python -m config.roles gateway --group users=dns:users-web.shop.svc:8000 ...
    python -m config.roles healthy | ready
    python -m config.roles migrate, or any other command of manage.py

A role is what `make up` starts, on all addresses, and becomes this very process: signals reach it. ``healthy`` and
``ready`` are about the role that was started last with the same STATE_DIR, and are for probes: exit 0 is yes.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

from config.supervision.commands import MANAGE, MEMORY, PROJECT, relay_command, web_command, worker_command
from config.topology import DOMAINS
from runtime.embedded.readiness import READY_FILE, are_ready
from runtime.embedded.state import make_private, state_dir

__all__ = ["ROLES", "command_of", "main"]

PUBLIC, INSIDE = "8000", "8001"
"""Where a web server and a gateway answer: PORT and INSIDE_PORT, unless the environment names others."""
_ROLE_FILE, _COMMAND = "role", "command"
"""Below STATE_DIR: what was started, for the probes. A command that runs once is no role."""
_PATIENCE = 3.0
"""Seconds that a probe waits for an answer."""


def main(words: Sequence[str]) -> int:
    """Becomes the role, or the command. Only probes return: the exit code."""
    if not words:
        sys.stderr.write(f"Say what to run: {', '.join(ROLES)}, healthy, ready, or a command of manage.py.\n")
        return 2
    first, rest = words[0], words[1:]
    folder = state_dir(os.environ)
    if first in ("healthy", "ready"):
        return 0 if _probe(first, folder, os.environ) else 1
    role_file = make_private(folder) / _ROLE_FILE
    if first not in ROLES:
        # It may be run beside a role, in its container.
        if not role_file.exists():
            role_file.write_text(_COMMAND)
        return _become((*MANAGE, *words), os.environ)
    if rest and first != "gateway":
        sys.stderr.write(f"{first} takes no arguments: {rest[0]!r} is one.\n")
        return 2
    # An earlier container of the same pod may have left its word here.
    ready_file = folder / "ready"
    ready_file.unlink(missing_ok=True)
    role_file.write_text(first)
    env = {"PORT": PUBLIC, "INSIDE_PORT": INSIDE, READY_FILE: str(ready_file), **MEMORY, **os.environ}
    if first == "gateway":
        # It signs nothing, and is told no secret. Left without, a key for tokens would be made up along with these.
        env = {"SECRET_KEY": token_hex(32), "SERVICE_KEY": token_hex(32), **env}
    if first in ("worker", "relay"):
        # They answer no customers: in a container of their own the inside port is where they are looked after.
        env = {"PROBE_BIND": f"0.0.0.0:{env['INSIDE_PORT']}", **env}
    return _become((*command_of(first, env), *rest), env)


def command_of(role: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """What runs it. Raises KeyError for what is no role."""
    return ROLES[role](env)


def _web(env: Mapping[str, str]) -> tuple[str, ...]:
    return web_command(f"0.0.0.0:{env['PORT']}", f"0.0.0.0:{env['INSIDE_PORT']}")


def _worker(env: Mapping[str, str]) -> tuple[str, ...]:
    domains = tuple(env.get("DOMAINS", "").replace(",", " ").split()) or DOMAINS
    # A container's host name is its own.
    return worker_command(domains, hostname="worker@%h")


def _relay(env: Mapping[str, str]) -> tuple[str, ...]:
    return relay_command()


def _gateway(env: Mapping[str, str]) -> tuple[str, ...]:
    doors = ("--bind", f"*:{env['PORT']}", "--metrics", f"*:{env['INSIDE_PORT']}")
    return (*MANAGE, "gateway_config", *doors, "--run")


ROLES: Mapping[str, Callable[[Mapping[str, str]], tuple[str, ...]]] = {
    "web": _web,
    "worker": _worker,
    "relay": _relay,
    "gateway": _gateway,
}


def _become(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    os.chdir(PROJECT)
    os.execve(command[0], list(command), dict(env))  # noqa: S606


# --- Probes ---------------------------------------------------------------------------------------------------------


def _probe(question: str, folder: Path, env: Mapping[str, str]) -> bool:
    """
    A web server and a gateway are asked over HTTP: ``healthy`` asks no neighbour and no server of theirs. Workers and
    relays have said so by themselves once they serve, and end where they cannot. A command that runs once is healthy.
    """
    file = folder / _ROLE_FILE
    role = file.read_text() if file.exists() else ""
    if role in ("worker", "relay"):
        return are_ready(folder / "ready")
    if role in ("web", "gateway"):
        path = "/health/live" if question == "healthy" else "/health/ready"
        return _answers(f"http://127.0.0.1:{env.get('PORT') or PUBLIC}{path}")
    return role == _COMMAND and question == "healthy"


def _answers(url: str) -> bool:
    """Whether it is 200."""
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 - of our own making
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
