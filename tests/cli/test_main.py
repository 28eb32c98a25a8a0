from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import click
import pytest

from grn.cli import main as frame
from grn.cli.lazy import LazyCommand
from grn.cli.main import main, root
from grn.kit.errors import BudgetError, DataError, ExitCode, MissingError

# What `grn --help` may import besides the standard library and grn itself, by top-level name.
ALLOWED = {"click"}

WHAT_HELP_IMPORTS = """
import sys
before = set(sys.modules)
from grn.cli.main import main
main(["--help"])
added = {name.partition(".")[0] for name in set(sys.modules) - before}
sys.stderr.write(" ".join(sorted(added - set(sys.stdlib_module_names))))
"""

PROBE = """
import sys
import click
from grn.cli import main as frame

@frame.root.command()
def probe():
{body}

sys.exit(frame.main())
"""


def grn(*args: str, code: str | None = None, **kwargs: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", code or "import sys; from grn.cli.main import main; sys.exit(main())"]
    return subprocess.run([*program, *args], capture_output=True, text=True, timeout=60, **kwargs)  # type: ignore[call-overload, no-any-return]


def running(body: str) -> str:
    """A program with one more command, ``probe``, whose body is given."""
    return PROBE.format(body="\n".join(f"    {line}" for line in body.splitlines()))


@pytest.fixture
def probe() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Hangs a command ``probe`` under ``grn`` for one test."""

    def add(body: Callable[[], object]) -> None:
        root.add_command(click.Command("probe", callback=body))

    yield add
    root.commands.pop("probe", None)


def test_help_imports_click_and_nothing_else() -> None:
    """`grn --help` has to be instant: this list may only get shorter."""
    done = grn(code=WHAT_HELP_IMPORTS)
    assert set(done.stderr.split()) == ALLOWED | {"grn"}
    assert done.stdout.startswith("Usage: grn")


def test_help_lists_every_area_and_every_exit_code() -> None:
    """A person finds the areas, and a script's author the codes, without a manual."""
    out = grn("--help").stdout
    for name in ("quant", "demo", "ledger", "hw", "completions"):
        assert f"\n  {name} " in out
    described = " ".join(out.split())
    for code in ExitCode:
        assert f" {int(code)} " in described


@pytest.mark.parametrize("name", ["ledger", "hw", "completions"])
def test_a_summary_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    """The table beside the lazy import cannot drift from the command."""
    entry = root.lazy[name]
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == f"{entry.summary}."


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, for bug reports and scripts."""
    from grn.kit.versions import grn_version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"grn {grn_version()}\n"


@pytest.mark.parametrize(
    ("result", "code"), [(None, 0), (ExitCode.DONE, 0), (ExitCode.NO, 1), ("text", 0), (ExitCode.MISSING, 3)]
)
def test_a_command_that_returns_decides_its_code(
    probe: Callable[[Callable[[], object]], None], result: object, code: int
) -> None:
    """Returning nothing is "done"; a clean "no" is returned, not raised."""
    probe(lambda: result)
    assert main(["probe"]) == code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            DataError("bad close", seen=-3.0, hint="drop row 17"),
            2,
            "error: bad close (seen: -3.0)\nhint: drop row 17\n",
        ),
        (MissingError("no GPU"), 3, "error: no GPU\n"),
        (BudgetError("too large", hint="smaller"), 4, "error: too large\nhint: smaller\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.Abort(), 130, "error: interrupted\n"),
        (SystemExit(7), 7, ""),
        (
            ValueError("x"),
            2,
            "error: unexpected ValueError: x\nhint: run it again as `grn --debug …` for the traceback\n",
        ),
        (
            MemoryError(),
            4,
            "error: out of memory\nhint: make the work smaller, or free memory\n",
        ),
        (
            OSError(28, "No space left on device", "frame.parquet"),
            2,
            "error: cannot write frame.parquet (seen: No space left on device)\n"
            "hint: make room where the output goes\n",
        ),
        # A pipe that broke while somebody still reads stdout is some other pipe: an error.
        (
            BrokenPipeError(32, "Broken pipe"),
            2,
            "error: unexpected BrokenPipeError: [Errno 32] Broken pipe\n"
            "hint: run it again as `grn --debug …` for the traceback\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_command_that_raises_says_what_and_what_next(
    probe: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    """Exactly these lines on stderr, nothing on stdout, the code of the class, no traceback."""

    def body() -> None:
        raise error

    probe(body)
    assert main(["probe"]) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", text)


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_debug_shows_the_traceback(
    probe: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """With --debug or GRN_DEBUG=1, and the error's own lines still come last."""

    def body() -> None:
        raise DataError("bad close", hint="drop it")

    probe(body)
    if how == "variable":
        monkeypatch.setenv("GRN_DEBUG", "1")
    assert main(["--debug", "probe"] if how == "flag" else ["probe"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error: bad close\nhint: drop it\n")
    monkeypatch.setenv("GRN_DEBUG", "0")
    assert main(["probe"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "err"),
    [
        (["ledgre"], "error: grn has no such command (seen: 'ledgre')\nhint: did you mean ledger?\n"),
        (["xyz"], "error: grn has no such command (seen: 'xyz')\nhint: grn --help lists them\n"),
        (
            ["ledger", "shwo"],
            "error: grn ledger has no such command (seen: 'shwo')\nhint: did you mean show?\n",
        ),
        (["ledger", "--lmit", "3"], "error: no such option '--lmit'\nhint: did you mean --limit?\n"),
        (["ledger", "show"], "error: missing argument 'RUN'\nhint: grn ledger show --help\n"),
        (
            ["hw", "show", "more"],
            "error: got unexpected extra argument (more)\nhint: grn hw show --help\n",
        ),
    ],
)
def test_wrong_usage_has_the_same_form(capsys: pytest.CaptureFixture[str], args: list[str], err: str) -> None:
    """Click's own errors look like all others: code 2, what, and a hint."""
    assert main(args) == 2
    assert capsys.readouterr() == ("", err)


def test_no_command_shows_the_help_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was asked, so nothing is on stdout; code 2 keeps a broken script from going on."""
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: no command given\n\nUsage: grn")


def test_home_moves_the_ledger_for_the_process(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--home wins over GRN_HOME; child processes inherit it."""
    monkeypatch.setenv("GRN_HOME", "/nowhere")
    assert main(["--home", str(tmp_path), "ledger"]) == 0
    assert str(tmp_path) in capsys.readouterr().err
    assert os.environ["GRN_HOME"] == str(tmp_path)


def test_a_reader_that_leaves_is_no_error() -> None:
    """`grn … | head -1`: code 0 and silence, however much was still to be written."""
    code = running("for n in range(200_000): click.echo(f'line {n}')")
    with subprocess.Popen(
        [sys.executable, "-c", code, "probe"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("body", ["click.echo('data')", "sys.stdout.write('data')"])
def test_output_that_finds_no_room_is_an_error(body: str) -> None:
    """Data that were not written must not end in code 0, whether the command or the last flush notices."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        program = [sys.executable, "-c", running(body), "probe"]
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert done.stderr.endswith("hint: make room where the output goes\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_ctrl_c_ends_with_130() -> None:
    """A real SIGINT, in the middle of a command."""
    code = running("import time; click.echo('ready'); time.sleep(60)")
    with subprocess.Popen(
        [sys.executable, "-c", code, "probe"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "error: interrupted\n"
        assert process.wait() == 130


def test_a_lazy_entry_that_is_no_command_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong table fails loudly and by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(root, "lazy", {"bad": LazyCommand("json:dumps", "Nothing")})
        assert main(["bad"]) == 2
    assert "json:dumps is no click command" in capsys.readouterr().err


def test_the_program_is_the_frame() -> None:
    """The console script of the distribution is this module's main."""
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="grn")
    assert script.load() is frame.main
