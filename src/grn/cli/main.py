"""The command ``grn``: its areas, and how every command ends.

Areas are imported when they are used, so ``grn --help`` imports click and the standard library, nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import click

from grn.cli.lazy import LazyCommand, LazyGroup
from grn.cli.output import style
from grn.kit.errors import ExitCode, GrnError, OutputError

_NAME = "grn"
_COMPLETE = "_GRN_COMPLETE"
_NO_ROOM = "make room where the output goes"


@dataclass
class Session:
    """What the root command tells the rest of the process; ``ctx.obj`` in every command."""

    debug: bool = False


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from grn.kit.versions import grn_version

    click.echo(f"{_NAME} {grn_version()}")
    ctx.exit()


@click.group(
    name=_NAME,
    cls=LazyGroup,
    lazy={
        "quant": LazyCommand(
            "grn.cli.quant:quant", "Backtest and sweep strategies, and judge what comes out"
        ),
        "ask": LazyCommand("grn.cli.llm.ask:ask", "Ask a language model"),
        "llm": LazyCommand(
            "grn.cli.llm:llm", "Ask language models, record what they say, and know what it costs"
        ),
        "maths": LazyCommand("grn.cli.maths:maths", "Read derivations in LaTeX, and check their steps"),
        "demo": LazyCommand("grn.cli.demo:demo", "Show the whole loop on real data in under a minute"),
        "ledger": LazyCommand("grn.cli.ledger:ledger", "Look up what was run and what it tried"),
        "hw": LazyCommand(
            "grn.cli.hw:hw", "Know the machine, and run commands on the part of it that suits them"
        ),
        "fit": LazyCommand(
            "grn.cli.fit.fit:fit", "Predict whether MODEL fits, how fast it is, and what makes it fit"
        ),
        "compute": LazyCommand(
            "grn.cli.compute:compute",
            "Fine-tune models, run jobs on a cluster, bring their results home",
        ),
        "completions": LazyCommand(
            "grn.cli.completions:completions", "Print the completion script of a shell"
        ),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, resolve_path=True),
    help="Keep ledger and settings in this folder (default: $GRN_HOME, else the user's data folder).",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors (also: GRN_DEBUG=1).")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Show the version and exit.")  # fmt: skip
@click.pass_context
def root(ctx: click.Context, home: str | None, debug: bool) -> None:
    """Gracemann Research Node: from market data to an honest verdict.

    Exit codes: 0 done or yes, 1 a clean no, 2 error, 3 something is missing, 4 over budget, 130 interrupted.
    """
    session = ctx.ensure_object(Session)
    session.debug = session.debug or debug
    if home is not None:
        os.environ["GRN_HOME"] = home


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    A command ends well by returning (``None`` or an :class:`~grn.kit.errors.ExitCode`) and badly by raising:
    what a :class:`~grn.kit.errors.GrnError` says goes to stderr, with the exit code of its class.

    Parameters
    ----------
    argv
        Arguments without the program's name; default those of the process.
    """
    session = Session(debug=os.environ.get("GRN_DEBUG", "") not in ("", "0"))
    try:
        code = _invoke(list(sys.argv[1:] if argv is None else argv), session)
        _flush()
        return code
    except BrokenPipeError as error:
        # `grn … | head` is no error; a pipe that broke elsewhere (a worker that died) is one.
        if _reader_has_gone():
            return ExitCode.DONE
        return _fail(error, session)
    except BaseException as error:
        try:
            _flush()
        except (OSError, OutputError):
            _drop(sys.stdout)
        return _fail(error, session)


def _invoke(args: list[str], session: Session) -> int:
    # Not root.main(): it decides by itself about exit codes, messages and broken pipes.
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(root, {}, _NAME, _COMPLETE, instruction)
    try:
        with root.make_context(_NAME, args, obj=session) as ctx:
            result = root.invoke(ctx)
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    return int(result) if isinstance(result, int) else int(ExitCode.DONE)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop(sys.stdout)
        raise OutputError("cannot write to stdout", seen=error.strerror, hint=_NO_ROOM) from error


def _fail(error: BaseException, session: Session) -> int:
    """Say what went wrong on stderr; returns the exit code."""
    what, hint, code = _explain(error, session)
    try:
        if session.debug and not isinstance(error, KeyboardInterrupt | click.Abort):
            import traceback

            traceback.print_exception(error)
        if what:
            sys.stderr.write(f"{style('error:', sys.stderr, fg='red', bold=True)} {what}\n")
        if hint:
            sys.stderr.write(f"{style('hint:', sys.stderr, fg='cyan', bold=True)} {hint}\n")
        sys.stderr.flush()
    except OSError:  # nobody listens; the exit code still tells
        _drop(sys.stderr)
    return code


def _explain(error: BaseException, session: Session) -> tuple[str, str | None, int]:
    """Find what is wrong, what to do next, and the exit code."""
    match error:
        case GrnError():
            return str(error), error.hint, error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", None, ExitCode.INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            return f"no command given\n\n{error.format_message()}\n", None, ExitCode.ERROR
        case click.ClickException():
            return *_explain_click(error), ExitCode.ERROR
        case SystemExit():
            status = error.code
            code = status if isinstance(status, int) else ExitCode.ERROR if status else ExitCode.DONE
            return status if isinstance(status, str) else "", None, code
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = f"cannot write {error.filename}" if error.filename else "cannot write"
            return f"{where} (seen: {error.strerror})", _NO_ROOM, ExitCode.ERROR
        case MemoryError():
            what = f"out of memory (seen: {error})" if str(error) else "out of memory"
            return (
                what,
                "make the work smaller, or free memory",
                ExitCode.BUDGET,
            )
    kind = type(error).__name__
    hint = "this is a bug: please report it with the traceback above" if session.debug else (
        "run it again as `grn --debug …` for the traceback"
    )  # fmt: skip
    return f"unexpected {kind}: {error}" if str(error) else f"unexpected {kind}", hint, ExitCode.ERROR


def _explain_click(error: click.ClickException) -> tuple[str, str | None]:
    """Bring click's sentences into the form of all others."""
    near = getattr(error, "possibilities", None)
    what = error.message if near else error.format_message()
    what = what[:1].lower() + what[1:].rstrip(".")
    if near:
        return what, f"did you mean {' or '.join(near)}?"
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return what, f"{ctx.command_path} --help" if ctx else None


def _reader_has_gone() -> bool:
    """Whether stdout or stderr is a pipe that nobody reads any more; if so, stop writing to it."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        poll = select.poll()
        try:
            poll.register(stream.fileno(), 0)
        except (OSError, ValueError):  # closed, or not a file at all (a test's capture)
            continue
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            _drop(stream)
            gone = True
    return gone


def _drop(stream: TextIO) -> None:
    """Point a stream to nowhere, so that the interpreter's last flush does not complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
