"""A program that shuts itself in and then becomes another one; run by its path, standard library only.

It takes namespaces of its own (mounts, network, processes, semaphores, host name; a user's too where it is
not root), builds a root of read-only parts of the system on a small file system in memory, leaves the old
root, gives up its rights and starts ``python -I PROGRAM``. Nothing of the machine can then be written, no
home is there, and no network but a loopback that nobody listens on. Needs Linux 5.12 or newer.

    python -I jail.py '{"root": ..., "bind": [...], "program": ..., "memory_mib": ..., "processes": ...}'
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

REFUSED = 97
"""Exit status where the kernel does not give what is needed."""

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    *(0x00020000, 0x04000000, 0x08000000),
    *(0x10000000, 0x20000000, 0x40000000),
)
_BIND, _REC, _PRIVATE, _NOSUID, _NODEV = 4096, 16384, 1 << 18, 2, 4
_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 1, 38, 4
_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        sys.stderr.write(f"{what}: {os.strerror(number)}\n")
        sys.stderr.flush()
        os._exit(REFUSED)


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [part.encode() if part is not None else None for part in (source, str(target), kind)]
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), data.encode() if data else None), f"mount {target}")


def _read_only(target: Path, *, below: bool) -> None:
    """Make a mount read-only, and all that is mounted below it."""
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY | _ATTR_NOSUID, 0, 0, 0)
    flags = _AT_RECURSIVE if below else 0
    path = str(target).encode()
    done = _libc.syscall(
        _MOUNT_SETATTR, -100, path, flags, ctypes.byref(attributes), ctypes.sizeof(attributes)
    )
    _check(done, f"read-only {target}")


def _namespaces() -> bool:
    """Take namespaces; returns whether this is the machine's root."""
    spaces = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
    root = os.geteuid() == 0 and _libc.unshare(spaces) == 0
    if not root:
        user, group = os.geteuid(), os.getegid()
        _check(_libc.unshare(spaces | _NEW_USER), "namespaces")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return root


def _build(root: Path, bind: list[str], program: str) -> None:
    """Build the root: parts of the system, read-only, and two small places that can be written."""
    _mount("none", Path("/"), None, _REC | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=4m,mode=755")
    # Before the parts: an interpreter may itself lie below /tmp, and is then mounted into the new one.
    for name in ("tmp", "box"):
        (root / name).mkdir()
        _mount("tmpfs", root / name, "tmpfs", _NOSUID | _NODEV, "size=16m,mode=1777")
    for name in bind:
        source, target = Path(name), root / name.lstrip("/")
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.readlink())
            continue
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        _mount(name, target, None, _BIND | _REC)
        _read_only(target, below=True)
    (root / "dev").mkdir()
    for device in ("null", "zero", "random", "urandom"):
        (root / "dev" / device).touch()
        _mount(f"/dev/{device}", root / "dev" / device, None, _BIND)
    (root / "program.py").write_bytes(Path(program).read_bytes())
    for name in ("proc", "old"):
        (root / name).mkdir()


def _enter(root: Path) -> None:
    """Leave the old root for good."""
    _check(_libc.pivot_root(str(root).encode(), str(root / "old").encode()), "pivot_root")
    os.chdir("/")
    _check(_libc.umount2(b"/old", _DETACH), "umount")
    _read_only(Path("/"), below=False)


def _become(plan: dict[str, Any], root: bool) -> None:
    """Give up all rights, take limits, and become the program."""
    # What is not there cannot be read; without /proc everything works as well.
    _libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(_NOSUID | _NODEV), None)
    if root:
        # A user of its own: the limit of processes counts by user, and does not hold for root.
        user = 100_000 + int(plan["user"]) % 50_000
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new rights")
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "end with the parent")
    for which, limit in (
        (resource.RLIMIT_NPROC, int(plan["processes"])),
        (resource.RLIMIT_AS, int(plan["memory_mib"]) * 2**20),
        (resource.RLIMIT_FSIZE, 8 * 2**20),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (limit, limit))
    os.chdir("/box")
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }  # fmt: skip
    os.execve(plan["python"], [plan["python"], "-I", "-B", "/program.py"], environment)


def main() -> None:
    """Shut this process in and become the program."""
    plan = json.loads(sys.argv[1])
    root = _namespaces()
    place = Path(plan["root"])
    _build(place, plan["bind"], plan["program"])
    child = os.fork()
    if child:
        os.close(0)
        os.close(1)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    try:
        _enter(place)
        _become(plan, root)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(REFUSED)


if __name__ == "__main__":
    main()
