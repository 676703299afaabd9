"""An image of the Dockerfile without Docker and without a registry: buildah, on a base out of Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = ("buildah", "debootstrap")
LIBRARIES = "ca-certificates,libssl3,libffi8,zlib1g,libbz2-1.0,liblzma5,libsqlite3-0,libreadline8,libuuid1"
NAME = "localhost/mitosis:test"


def require_builder() -> None:
    """Skips, or where REQUIRE_ALL=1 fails, where no image can be built."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    reason = f"{' and '.join(missing)} not installed" if missing else ""
    if not reason and os.geteuid() != 0:
        reason = "a base is made as root, and this is somebody else"
    if not reason and sys.base_prefix == "/usr":
        reason = "the base gets the Python that runs this, and the system's own is in too many places"
    if not reason and not _may_mount():
        reason = "this machine lets nobody mount"
    if reason and os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"No image can be built here: {reason}. REQUIRE_ALL=1 says that one has to be.")
    if reason:
        pytest.skip(f"No image can be built here: {reason}.")


def _may_mount() -> bool:
    """Whether a process here may have a view of the files of its own, as each in a container has."""
    words = ("unshare", "--mount", "sh", "-c", "mount --bind / /mnt")
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Keeps all it makes below one folder."""

    folder: Path

    def run(self, *words: str | Path) -> str:
        """One command of buildah; the answer is what it printed. Raises CalledProcessError with all it said."""
        return _said(self.words(*words), env=self.environment)

    def words(self, *words: str | Path) -> list[str]:
        where = ("--root", self.folder / "storage", "--runroot", self.folder / "running")
        return ["buildah", *map(str, (*where, *words))]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "STORAGE_DRIVER": "vfs"}

    def make_base(self, name: str) -> None:
        """What stands for the official Python image: a small Debian, with the Python that runs this."""
        root = self.folder / "base"
        suite, mirror = _debian()
        _said(["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", suite, str(root), mirror])
        _copy_python(Path(sys.base_prefix), root / "usr/local")
        for words in (("/sbin/ldconfig",), ("/usr/local/bin/python", "-m", "ensurepip")):
            _said(["chroot", str(root), *words], env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
        working = self.run("from", "scratch")
        self.run("copy", "--quiet", working, root, "/")
        self.run("config", "--env", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", working)
        self.run("commit", "--quiet", "--rm", working, f"docker.io/library/{name}")
        shutil.rmtree(root)

    def build(self, **arguments: str) -> str:
        """The Dockerfile, with packages that this machine's own pip has fetched by their hashes."""
        wheels = self.folder / "wheels"
        lock = ("--require-hashes", "--requirement", str(PROJECT / "requirements.lock"))
        fetch = ("download", "--quiet", "--no-deps", "--only-binary", ":all:", *lock, "--dest", str(wheels))
        _said([sys.executable, "-m", "pip", *fetch])
        settings = self.folder / "pip.conf"
        settings.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        way = ("--isolation", "chroot", "--pull-never", "--layers=false", "--format", "docker", *given)
        self.run(
            "bud", *way, "--secret", f"id=pip,src={settings}", "--volume", f"{wheels}:/wheels:ro", "-t", NAME, PROJECT
        )
        return NAME


def _said(words: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def _debian() -> tuple[str, str]:
    """This machine's own release and where its packages come from."""
    about = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    suite = about["VERSION_CODENAME"].strip('"')
    listed = _said(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
    return suite, next(line.split()[1] for line in listed.splitlines() if line.split()[0] == suite)


def _copy_python(source: Path, target: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (target / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / "bin" / version, target / "bin" / version)
    for alias in ("python3", "python"):
        (target / "bin" / alias).symlink_to(version)
    leave = shutil.ignore_patterns("test", "site-packages", "__pycache__")
    shutil.copytree(source / "lib" / version, target / "lib" / version, symlinks=True, ignore=leave)
    (target / "lib" / version / "site-packages").mkdir()
    for library in (source / "lib").glob("libpython3*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
