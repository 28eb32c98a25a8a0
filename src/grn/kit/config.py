"""Settings of one person on one machine: ``config.toml`` in ``$GRN_HOME``. No keys or secrets in here."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from grn.kit.errors import UsageError
from grn.kit.paths import grn_home


@dataclass(frozen=True)
class Settings:
    """What can be set, with its default.

    Attributes
    ----------
    memory_gib
        Memory that one job may plan with, in GiB (2³⁰ bytes). Work that is priced above it is refused.
    threads
        Threads of the compiled engines; ``None`` takes every core that the process may use. The numbers
        that come out do not depend on it.
    pin
        Whether the threads of a sweep stay on the fast cores, one on each (see `grn.hw.pin`), when `threads`
        is not set.  Then the slow cores and second threads of a core are left to other work.
    data_root
        Folder of the data lake, such as a fast disk of its own; ``None`` is ``lake`` in ``$GRN_HOME``.
    data_quota_gib
        Most that the lake may hold, in GiB; ``None`` leaves only the disk as a limit.
    """

    memory_gib: float = 24.0
    threads: int | None = None
    pin: bool = False
    data_root: str | None = None
    data_quota_gib: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.memory_gib) and self.memory_gib > 0):
            raise UsageError(
                "memory_gib must be positive",
                seen=self.memory_gib,
                hint="for example: memory_gib = 24.0",
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError(
                "threads must be at least 1",
                seen=self.threads,
                hint="leave it out to use every core",
            )
        if self.data_root is not None and not Path(self.data_root).expanduser().is_absolute():
            raise UsageError(
                "data_root must be a whole path",
                seen=self.data_root,
                hint='for example: data_root = "/data/lake"',
            )
        if self.data_quota_gib is not None and not (
            math.isfinite(self.data_quota_gib) and self.data_quota_gib > 0
        ):
            raise UsageError(
                "data_quota_gib must be positive",
                seen=self.data_quota_gib,
                hint="for example: data_quota_gib = 500.0",
            )


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; a file that is not there means all defaults.

    Parameters
    ----------
    path
        The TOML file; default ``config.toml`` in :func:`grn.kit.paths.grn_home`.

    Raises
    ------
    UsageError
        The file is not TOML, has an unknown key, or a value of the wrong type or range.
    """
    source = grn_home() / "config.toml" if path is None else path
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is not valid TOML", seen=str(error), hint="correct that line") from error
    except OSError as error:
        raise UsageError(
            f"cannot read {source}", seen=error.strerror, hint="check its permissions"
        ) from error
    return _settings(table, source)


def _settings(table: dict[str, object], source: Path) -> Settings:
    known = [field.name for field in fields(Settings)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known settings: {', '.join(known)}"
            raise UsageError(f"unknown setting in {source}", seen=key, hint=hint)
    memory_gib = table.get("memory_gib", Settings.memory_gib)
    threads = table.get("threads", Settings.threads)
    # bool is an int to Python, not to a person who writes `threads = true`.
    if isinstance(memory_gib, bool) or not isinstance(memory_gib, int | float):
        raise UsageError(
            f"memory_gib in {source} must be a number",
            seen=memory_gib,
            hint="memory_gib = 24.0",
        )
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int)):
        raise UsageError(
            f"threads in {source} must be a whole number",
            seen=threads,
            hint="threads = 8",
        )
    pin = table.get("pin", Settings.pin)
    if not isinstance(pin, bool):
        raise UsageError(f"pin in {source} must be true or false", seen=pin, hint="pin = true")
    data_root = table.get("data_root", Settings.data_root)
    if data_root is not None and not isinstance(data_root, str):
        raise UsageError(
            f"data_root in {source} must be text", seen=data_root, hint='data_root = "/data/lake"'
        )
    quota_gib = table.get("data_quota_gib", Settings.data_quota_gib)
    if quota_gib is not None and (isinstance(quota_gib, bool) or not isinstance(quota_gib, int | float)):
        raise UsageError(
            f"data_quota_gib in {source} must be a number", seen=quota_gib, hint="data_quota_gib = 500.0"
        )
    return Settings(
        memory_gib=float(memory_gib),
        threads=threads,
        pin=pin,
        data_root=data_root,
        data_quota_gib=None if quota_gib is None else float(quota_gib),
    )
