"""``grn llm squeeze``: what a tool wrote, with fewer tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.stdin import read_piped
from grn.cli.output import json_option, write_json

if TYPE_CHECKING:
    from grn.llm.tokens.squeeze.originals import Originals

KINDS = (
    "pytest",
    "diff",
    "git-log",
    "ruff",
    "mypy",
    "log",
    "traceback",
    "compiler",
    "pip",
    "csv",
    "json",
    "text",
)


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), help="What it is the output of (default: found out).")
@click.option("--lossless", is_flag=True, help="Leave nothing out; --decode gives it back to the letter.")
@click.option("--decode", is_flag=True, help="Undo --lossless.")
@click.option(
    "--original", metavar="NAME", help="Give back what was squeezed, by the name in its first line."
)
@click.option("--no-keep", is_flag=True, help="Keep no original.")
@click.option("--stats", is_flag=True, help="Say on stderr what it was taken for and how many tokens it has.")
@json_option
def squeeze(
    file: Path | None,
    kind: str | None,
    lossless: bool,
    decode: bool,
    original: str | None,
    no_keep: bool,
    stats: bool,
    as_json: bool,
) -> None:
    """Write FILE, or what is piped in, with fewer tokens, for a model to read.

    Left out are lines that bear no load: what passed, what is in the file anyway, what is said again. Every
    line that is left is as it was, numbers to the digit. The whole text is kept on this machine, under the
    name in the first line.

    \b
    pytest 2>&1 | grn llm squeeze
    git diff | grn llm squeeze --lossless | grn ask "review this"
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.errors import UsageError
    from grn.llm.room import llm_dir
    from grn.llm.tokens.squeeze.originals import Originals

    kept = Originals(llm_dir() / "originals")
    if sum((lossless, decode, original is not None)) > 1:
        raise UsageError(
            "one thing at a time", seen="--lossless, --decode, --original", hint="leave two of them out"
        )
    if original is not None:
        _write(kept.find(original))
        return
    data = _read(file)
    if decode:
        _write(_decoded(data))
        return
    _squeeze(
        data,
        kept,
        kind=kind,
        lossless=lossless,
        keep=not no_keep and not lossless,
        stats=stats,
        as_json=as_json,
    )


def _squeeze(
    data: bytes, kept: Originals, *, kind: str | None, lossless: bool, keep: bool, stats: bool, as_json: bool
) -> None:
    from grn.kit.errors import DataError
    from grn.kit.files import sha256_hex
    from grn.llm.keys import mask
    from grn.llm.tokens.squeeze.lossless import squeeze_lossless
    from grn.llm.tokens.squeeze.originals import SHOWN
    from grn.llm.tokens.squeeze.squeeze import Squeezed, squeeze
    from grn.llm.tokens.vocabularies import count_bundled

    def weigh(text: str) -> int:
        return count_bundled(text, "o200k_base")

    if b"\0" in data:
        raise DataError(
            "this is no text", seen="a zero byte", hint="squeeze what a tool says, not what it makes"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if lossless:
            raise DataError("only text (UTF-8) comes back to the letter", seen=str(error)) from error
        text = data.decode("utf-8", "replace")
    masked = mask(text)
    if masked != text:
        notify("a key was in it: it is [key] now, in the original too")
        text, data = masked, masked.encode()
    if lossless:
        out = squeeze_lossless(text, weigh)
        found, name = Squeezed(out, "lossless", weigh(text), weigh(out), 0), None
    else:
        name = sha256_hex(data)[:SHOWN]
        whole = f"grn llm squeeze --original {name}" if keep else "not kept"
        found = squeeze(text, weigh, whole, kind)
        # Nothing is kept of which nothing was taken.
        name = kept.keep(data) if keep and found.text != text else None
    if stats:
        saved = 1 - found.after / found.before if found.before else 0.0
        notify(f"{found.kind}: {found.before:,} tokens of o200k, now {found.after:,} ({saved:.0%} saved)")
    if as_json:
        write_json({
            "kind": found.kind, "tokens_before": found.before, "tokens_after": found.after,
            "lines_left_out": found.left_out, "original": name, "text": found.text,
        })  # fmt: skip
    else:
        _write(found.text.encode())


def _decoded(data: bytes) -> bytes:
    from grn.kit.errors import DataError
    from grn.llm.tokens.squeeze.lossless import unsqueeze

    try:
        return unsqueeze(data.decode("utf-8")).encode()
    except (ValueError, KeyError) as error:
        raise DataError("this is nothing that was squeezed without loss", seen=str(error)) from error


def _read(file: Path | None) -> bytes:
    from grn.kit.errors import UsageError

    if file is None or str(file) == "-":
        return read_piped()
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError("cannot read the file", seen=f"{file}: {error.strerror}") from error


def _write(data: bytes) -> None:
    """Write bytes as they are: no line break is added, so that what is decoded is what was coded."""
    click.echo(data, nl=False)
