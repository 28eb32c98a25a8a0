"""What can go wrong, and how a process says so.

The tree (exit code of each class in brackets)::

    GrnError [2]
    ├── UsageError [2]          asked for something that makes no sense
    ├── DataError [2]           market data that cannot be trusted
    ├── StrategyError [2]       a strategy that cannot be compiled or run
    ├── UnsupportedError [2]    an engine that refuses a combination by name
    ├── LedgerError [2]         a ledger that is damaged, foreign, busy or too new
    ├── OutputError [2]         a result that cannot be written
    ├── ProviderError [2]       a model's provider that refused, or broke off
    ├── ClusterError [2]        a cluster that refused a job, or lost part of it
    ├── MissingError [3]        something that is not there
    │   ├── MissingExtraError [3]   an optional package that is not installed
    │   ├── TapeError [3]           a model's answer that is not on the tape
    │   └── UnreachableError [3]    a server that cannot be reached
    └── BudgetError [4]         memory, money or a look that is not allowed
        ├── AccessError [4]         a key that is missing or not accepted
        └── HoldoutError [4]        a look at a period that was locked

An error is three things: what is wrong, the value that was seen, and what to do next. Class docstrings and
the docstrings of :class:`ExitCode`'s members are the text of the documentation's page on errors.
"""

from __future__ import annotations

import importlib
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Self

_DISTRIBUTION = "alpha-metaphorica"
_LONGEST_SEEN = 200


class ExitCode(IntEnum):
    """Exit status of every ``grn`` command; each member's ``__doc__`` says when it is used."""

    _value_: int

    def __new__(cls, value: int, doc: str) -> Self:
        """Make a member that knows when it is used."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.__doc__ = doc
        return member

    DONE = 0, "Done, or the answer is yes."
    NO = (
        1,
        "The command worked and the answer is no: the strategy is rejected, the check does not hold.",
    )
    ERROR = 2, "Wrong usage, bad data, or an unexpected error."
    MISSING = (
        3,
        "Something is missing: an optional package, a GPU, a network, a server.",
    )
    BUDGET = (
        4,
        "Not allowed to go on: it would exceed a budget of memory or money, needs a key, or is a hold-out.",
    )
    INTERRUPTED = (
        130,
        "Interrupted from the keyboard (Ctrl-C); what was recorded until then is kept.",
    )


class GrnError(Exception):
    """Root of every error that ``grn`` raises on purpose; catch it to catch them all.

    Parameters
    ----------
    what
        What is wrong, one sentence without a full stop.
    seen
        The value that was met, shown behind ``what``; ``None`` when there is none.
    hint
        What to do next.

    Example: ``GrnError("fee must not be negative", seen=-0.1, hint="0.001 is 0.1 %")``.
    Fix: follow the hint.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR

    def __init__(self, what: str, *, seen: object | None = None, hint: str | None = None) -> None:
        # Only `what` goes to args: unpickling (process pools) calls cls(*args) and restores the rest from
        # __dict__, so an error crosses a process boundary whole.
        super().__init__(what)
        self.what = what
        self.seen = seen
        self.hint = hint

    def __str__(self) -> str:
        if self.seen is None:
            return self.what
        seen = repr(self.seen) if isinstance(self.seen, str) else str(self.seen)
        if len(seen) > _LONGEST_SEEN:
            seen = seen[: _LONGEST_SEEN - 1] + "…"
        return f"{self.what} (seen: {seen})"


class UsageError(GrnError):
    """A command, function or setting was asked for something that makes no sense.

    Example: ``threads = -1`` in ``config.toml``, or ``grn ledger show`` with a prefix that fits two runs.
    Fix: correct the value named; ``--help`` lists what is allowed.
    """


class DataError(GrnError):
    """Market data breaks a rule that every backtest relies on.

    Example: a frame whose row 17 has ``close = -3.0``, or two bars of one symbol with the same time stamp.
    Fix: repair or drop the row named, then load the data again.
    """


class StrategyError(GrnError):
    """A strategy cannot be compiled or run as it is written.

    Example: ``smaa(close, 10)`` (no such indicator), or a strategy file that raises while it is read.
    Fix: the message names the expression or line; the hint lists the nearest valid names.
    """


class UnsupportedError(GrnError):
    """An engine refuses, by name, a combination that it cannot compute exactly.

    Example: ``engine="cpu"`` together with a step function that only runs in plain Python.
    Fix: leave the choice of engine to ``grn``, or take the engine named in the hint.
    """


class LedgerError(GrnError):
    """The ledger is damaged, of another program, written by a newer version, or not reachable.

    Example: opening a ledger of schema version 3 with a release that knows versions up to 1.
    Fix: upgrade ``grn``, or point ``GRN_HOME`` to another ledger; nothing has been changed.
    """


class OutputError(GrnError):
    """A result cannot be written where it was asked to go; no partial file is left behind.

    Example: ``--out /read-only/report.html``, or a full disk.
    Fix: choose a path that you may write to, or make room.
    """


class ProviderError(GrnError):
    """A model's provider refused a call, or broke off in the middle of an answer.

    Example: HTTP 529 from an overloaded provider, four times in a row, or a stream that is no stream.
    Fix: what the message says of the status; ``grn llm spend --calls`` shows what was billed all the same.
    """


class ClusterError(GrnError):
    """A cluster or its scheduler refused a job, or does not have what was left there.

    Example: ``partition = "gpus"`` where the partition is called ``gpu``, or a module that is not there.
    Fix: what the message says of it; nothing is queued when a submission fails.
    """


class MissingError(GrnError):
    """Something that the work needs is not there.

    Example: a sample data set whose package is not installed, or a GPU where there is none.
    Fix: the hint names what to install or to switch on.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.MISSING


class MissingExtraError(MissingError):
    """An optional package is not installed.

    Example: ``sample("SKFOLIO20")`` without the extra ``samples``.
    Fix: run the command in the hint, such as ``pip install 'alpha-metaphorica[samples]'``, or in a clone
    ``.venv/bin/python -m pip install -e '.[samples]' -c constraints.txt``.
    """


class TapeError(MissingError):
    """A replay was asked for an answer that is not on the tape; nothing was sent.

    Example: ``grn ask --replay paper "hi!"`` where ``hi`` was recorded.
    Fix: the message shows what differs from the nearest recorded call; record it with ``--record``.
    """


class UnreachableError(MissingError):
    """A server cannot be reached; nothing was sent.

    Example: ``grn ask --model sonnet`` without a network.
    Fix: check the network, or ask a model on this machine: ``--model local``.
    """


class BudgetError(GrnError):
    """The work would take more memory or money than is allowed; it was priced before it was started.

    Example: a grid of 10⁹ combinations whose result table needs 190 GiB with ``memory_gib = 24``.
    Fix: make the work smaller, or raise the limit named in the hint.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUDGET


class AccessError(BudgetError):
    """A provider's key is missing, or the provider does not accept it.

    Example: ``grn ask --model sonnet`` without ``ANTHROPIC_API_KEY``, or with one that was revoked.
    Fix: set the variable that the hint names, or store the key once with ``grn llm keys set PROVIDER``.
    """


class HoldoutError(BudgetError):
    """A run would look at a period that was locked, or at one that was opened before; nothing was computed.

    Example: ``grn quant holdout SP500 --from 2015-01-01``, then a sweep over all of SP500.
    Fix: end the data before it with ``--until 2015-01-01``; ``--open-holdout`` opens it, once.
    """


def install_command(extra: str, package: Path = Path(__file__).parents[1]) -> str:
    """Return the command that installs an extra: by name, or from the clone that `package` lies in."""
    root = package.parents[1]
    try:
        cloned = f'name = "{_DISTRIBUTION}"' in (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        cloned = False
    if not cloned:
        return f"pip install '{_DISTRIBUTION}[{extra}]'"
    python = Path(sys.executable)
    python = python.relative_to(root) if python.is_relative_to(root) else python
    return f"{python} -m pip install -e '.[{extra}]' -c constraints.txt, in the folder of the clone"


def require_extra(module: str, extra: str) -> ModuleType:
    """Import an optional module, or name the exact command that installs it.

    Parameters
    ----------
    module
        Dotted name of the module to import.
    extra
        The extra of this distribution that brings it.

    Raises
    ------
    MissingExtraError
        The module, or something it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this needs the package {module!r}, which is not installed",
            seen=None if error.name == module else error.name,
            hint=install_command(extra),
        ) from error
