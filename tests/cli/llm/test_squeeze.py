from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from grn.cli.llm import squeeze as command
from grn.cli.main import main
from grn.llm.tokens.squeeze.kinds import NAMES

LOG = "".join(f"2026-11-23 10:00:{n:02} INFO shop: order {n} stored in {n / 7:.2f} ms\n" for n in range(60))


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Originals of one test are no other's."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_an_output_is_squeezed_and_can_be_had_again(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer tokens, and in the first line the command that gives the whole back, to the byte."""
    data = LOG.encode() + b"2026-11-23 10:01:00 ERROR shop: \xff broken\n"
    pipe(monkeypatch, data)
    assert main(["llm", "squeeze", "--stats"]) == 0
    captured = capsysbinary.readouterr()
    head = captured.out.decode().split("\n")[0]
    assert b"ERROR shop: \xef\xbf\xbd broken" in captured.out
    assert captured.err.startswith(b"log: ")
    name = head.partition("--original ")[2].split()[0].rstrip(";")
    assert main(["llm", "squeeze", "--original", name]) == 0
    assert capsysbinary.readouterr().out == data


def test_what_was_squeezed_without_loss_is_decoded(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what stands in the output alone: nothing is kept anywhere."""
    data = (LOG + "waiting\n" * 40 + "no line break at the end").encode()
    pipe(monkeypatch, data)
    assert main(["llm", "squeeze", "--lossless"]) == 0
    coded = capsysbinary.readouterr().out
    assert len(coded) < len(data)
    pipe(monkeypatch, coded)
    assert main(["llm", "squeeze", "--decode"]) == 0
    assert capsysbinary.readouterr().out == data


def test_keys_are_neither_shown_nor_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key in an output is masked in what is left of it, and in the original."""
    pipe(monkeypatch, (LOG + "ERROR: sk-ant-api03-planted-secret-planted-secret refused\n").encode())
    assert main(["llm", "squeeze", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["tokens_after"] < found["tokens_before"]
    assert "[key] refused" in found["text"]
    assert "a key was in it" in captured.err
    assert main(["llm", "squeeze", "--original", found["original"]]) == 0
    assert "planted" not in capsys.readouterr().out


def test_nothing_is_kept_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--no-keep writes no file and says so; neither does a text of which nothing was taken."""
    file = tmp_path / "short.txt"
    file.write_text("one line\n")
    assert main(["llm", "squeeze", str(file), "--kind", "text"]) == 0
    assert capsys.readouterr().out == "one line\n"
    pipe(monkeypatch, LOG.encode())
    assert main(["llm", "squeeze", "--no-keep"]) == 0
    assert "whole: not kept" in capsys.readouterr().out
    assert not (tmp_path / "home" / "llm" / "originals").exists()


def test_what_cannot_be_squeezed_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Bytes, signs without a meaning, a name of nothing, a file that is not there, two things at once."""
    for data, arguments, code in (
        (b"\0", [], 2),
        (b"\xff", ["--lossless"], 2),
        (b"\xc2\xa7 squeezed\n\xc2\xa7q", ["--decode"], 2),
        (b"\xc2\xa7 squeezed JSON laid out {}\n{}", ["--decode"], 2),
        (b"", ["--original", "0123abcd"], 3),
        (b"", [str(tmp_path / "none")], 2),
        (b"x", ["--lossless", "--decode"], 2),
    ):
        pipe(monkeypatch, data)
        assert main(["llm", "squeeze", *arguments]) == code
        assert capsys.readouterr().err.startswith("error:")
    assert command.KINDS == NAMES
