"""
Where PostgreSQL's data lie and who runs it.

As a plain user: below the state directory, as oneself. PostgreSQL refuses to run as root, so root's server runs as
somebody else, who may not be able to enter the state directory or the virtual environment; then the data (and, if need
be, a copy of the programs) lie in a directory of their own under /var/tmp, which the state directory links to.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.binaries import postgres_libraries, postgres_release, postgres_tree
from runtime.embedded.errors import CannotBecome, StateUnusable
from runtime.embedded.process import Account
from runtime.embedded.state import make_private, write_private

SERVER_ACCOUNT = "nobody"
ELSEWHERE = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a directory of our own below it
_OWNER_NOTE = "state_directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The folder that holds the data directory, the programs' folder, and whom to run as (None: as oneself)."""

    home: Path
    programs: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    def give(self, path: Path) -> Path:
        """Make the path the server's own."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)
        return path


def place(state: Path, name: str) -> Placement:
    """Find or make the place for this server's data. Raises StateUnusable, CannotBecome or BinariesMissing."""
    link = make_private(state) / name
    if os.geteuid() != 0:
        return Placement(home=make_private(link), programs=postgres_tree() / "bin", account=None)
    if link.is_dir() and not link.is_symlink() and (owner := link.stat()).st_uid != 0:
        # Made by a plain user who could reach everything; root goes on as that user.
        account = Account(name=str(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
        return Placement(home=link, programs=postgres_tree() / "bin", account=account)
    account = _server_account()
    home = _linked_home(link) if link.is_symlink() else _new_home(link)
    return Placement(home=home, programs=_reachable_programs(home, account), account=account)


def discard(state: Path) -> list[Path]:
    """Remove what lies outside the state directory on its behalf. The answer is what was removed."""
    linked = {path.readlink() for path in state.glob("*") if path.is_symlink()}
    removed = []
    for home in {*ELSEWHERE.glob(f"{_prefix(state)}*"), *linked}:
        # The note tells whose it is; without one it was not made here, whatever its name is.
        if _belongs_to(home) == state.absolute():
            shutil.rmtree(home)
            removed.append(home)
    return removed


def _server_account() -> Account:
    try:
        found = pwd.getpwnam(SERVER_ACCOUNT)
    except KeyError as error:
        raise CannotBecome(account=SERVER_ACCOUNT, reason="there is no such account") from error
    return Account(name=SERVER_ACCOUNT, uid=found.pw_uid, gid=found.pw_gid)


# --- A place elsewhere ----------------------------------------------------------------------------------------------


def _prefix(state: Path) -> str:
    return f"mitosis-{hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:12]}-"


def _new_home(link: Path) -> Path:
    home = Path(tempfile.mkdtemp(prefix=_prefix(link.parent), dir=ELSEWHERE))
    home.chmod(0o711)
    write_private(home / _OWNER_NOTE, f"{link.parent.absolute()}\n")
    link.symlink_to(home)
    return home


def _linked_home(link: Path) -> Path:
    """Where the link leads. A moved state directory takes its data along; a copied one must not share them."""
    home = link.readlink()
    owner = _belongs_to(home)
    if owner is None:
        raise StateUnusable(path=link, reason=f"{home}, where it leads, is gone or was not made for it")
    if owner != link.parent.absolute():
        original = owner / link.name
        if original.is_symlink() and original.readlink() == home:
            raise StateUnusable(path=link, reason=f"its data belong to {original}, of which it is a copy")
        write_private(home / _OWNER_NOTE, f"{link.parent.absolute()}\n")
    return home


def _belongs_to(home: Path) -> Path | None:
    """The state directory whose data these are. None for a directory that was not made here."""
    note = home / _OWNER_NOTE
    if not note.is_file() or note.stat().st_uid != os.geteuid():
        return None
    return Path(note.read_text().rstrip("\n"))


def _reachable_programs(home: Path, account: Account) -> Path:
    """The installed programs, or a copy of them beside the data when the account cannot run the installed ones."""
    tree = postgres_tree()
    if _can_run(tree / "bin" / "initdb", account):
        return tree / "bin"
    copy = home / f"programs-{postgres_release()}"
    if not copy.is_dir():
        unfinished = home / "programs.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Side by side as installed: the programs look for their libraries relative to themselves.
        for source in (tree, *postgres_libraries()):
            target = unfinished / source.relative_to(tree.parent.parent)
            shutil.copytree(source, target, symlinks=True, ignore=lambda *_: ["include"])
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                _open_to_all(path)
        unfinished.replace(copy)
    return copy / tree.relative_to(tree.parent.parent) / "bin"


def _open_to_all(path: Path) -> None:
    mode = path.stat().st_mode
    path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _can_run(program: Path, account: Account) -> bool:
    """Raises CannotBecome where this process may not act as somebody else at all."""
    try:
        tried = subprocess.run(  # noqa: S603 - our own program
            [program, "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            cwd="/",
            check=False,
        )
    except OSError as error:
        if error.errno in {errno.EPERM, errno.EINVAL}:
            raise CannotBecome(account=account.name, reason=error.strerror) from error
        return False
    return tried.returncode == 0
