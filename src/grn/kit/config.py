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
    """

    memory_gib: float = 24.0
    threads: int | None = None

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
    return Settings(memory_gib=float(memory_gib), threads=threads)
