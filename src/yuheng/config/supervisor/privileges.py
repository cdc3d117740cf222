"""What a child sets up between fork and exec: death signal, and for PostgreSQL as root another account.

PostgreSQL refuses to run as root. Running it as another account usually fails next, because that account cannot
reach ``/root/...``. Changing the permissions of somebody's home directory is not ours to do, so the child
keeps one capability that lets it *search* directories, and nothing else of root.

References
----------
capabilities(7): ambient capabilities survive execve of an ordinary program.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from yuheng.config.supervisor.errors import CannotStart

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_IS_LINUX = sys.platform.startswith("linux")
_LIBC = ctypes.CDLL(None, use_errno=True) if _IS_LINUX else None


@dataclass(frozen=True, slots=True)
class Account:
    """A system account to run as; ``capability`` is kept when a path is closed to it."""

    name: str
    uid: int
    gid: int
    capability: int | None = None


def account_for(directory: Path, *, needs: Iterable[Path]) -> Account | None:
    """Return the account for a program that refuses root; None when we are not root.

    An existing ``directory`` keeps its owner, so that a cluster made yesterday still opens today.

    Raises
    ------
    CannotStart
        A path in ``needs`` is closed to the account and the kernel gives no capability to open it.
    """
    if os.geteuid() != 0:
        return None
    entry = _entry(directory)
    closed = [path for path in needs if not _is_open_to_all(path)]
    capability = _search_capability() if closed else None
    if closed and capability is None:
        raise CannotStart(
            f"As root, PostgreSQL runs as {entry.pw_name}, which cannot reach {closed[0]}. Run as an ordinary person."
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, capability)


def child_setup(*, death_signal: int = signal.SIGTERM, account: Account | None = None) -> Callable[[], None]:
    """Return the function to run in the child before exec. System calls only: nothing that could wait for a lock."""
    parent = os.getpid()

    def set_up() -> None:
        if account is not None:
            _become(account)
        if _LIBC is not None:
            # After the change of user, which clears it. Best effort: the next start also looks for orphans.
            _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return set_up


def _become(account: Account) -> None:
    keeps = account.capability is not None and _LIBC is not None
    if keeps and _LIBC is not None:
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if keeps and _LIBC is not None and account.capability is not None:
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        low = 1 << account.capability
        sets = struct.pack("=6I", low, low, low, 0, 0, 0)
        _LIBC.capset(header, sets)
        _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, account.capability, 0, 0)


def _entry(directory: Path) -> pwd.struct_passwd:
    if directory.exists() and directory.stat().st_uid != 0:
        return pwd.getpwuid(directory.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("As root, PostgreSQL needs an account named 'postgres' or 'nobody' to run as, and there is none.")


def _is_open_to_all(path: Path) -> bool:
    """Return whether every directory on the way, and the path itself, can be entered by anybody."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents) if step.exists())


def _search_capability() -> int | None:
    """Return the weakest capability we hold that opens closed directories."""
    if not _IS_LINUX:
        return None
    status = Path("/proc/self/status").read_text()
    held = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:"))
    bounding = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if held & bounding & (1 << capability):
            return capability
    return None
