"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.system import PROJECT, System
from runtime.embedded.binaries import valkey_server

_PACKAGES = ("django", "djangorestframework", "celery", "kombu", "psycopg2-binary", "gunicorn", "msgspec", "redis")
_SETTINGS = ("TOPOLOGY", "WEB_WORKERS", "WEB_THREADS", "LOG_FORMAT", "TRACES_SAMPLE", "PUBLISH_ALL", "ORDER_BUDGET")


def load_average() -> list[float]:
    """Over the last 1, 5 and 15 minutes: what else the machine had to do."""
    return [round(value, 2) for value in os.getloadavg()]


def machine() -> dict[str, Any]:
    return {
        "processor": _line_of(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(system: System) -> dict[str, str]:
    """Of the project (its commit, where git tells), of Python, of both servers and of what an order passes through."""
    found = {"mitosis": _said("git", "-C", str(PROJECT), "describe", "--always", "--dirty") or "unknown"}
    found |= {
        "python": platform.python_version(),
        "postgresql": str(system.ask("SHOW server_version")[0][0]),
        "valkey": _said(str(valkey_server()), "--version").partition(" v=")[2].partition(" ")[0],
    }
    return found | {package: _version(package) for package in _PACKAGES}


def settings() -> dict[str, str]:
    """Those of the environment that change what an order costs, where they are set."""
    return {name: os.environ[name] for name in _SETTINGS if os.environ.get(name)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _line_of(path: Path, label: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(label)), "")
