from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.llm.servers import plain, serve


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No model of the environment, no count of another test."""
    monkeypatch.delenv("GRN_MODEL", raising=False)
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))


def test_a_text_is_counted_and_priced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From stdin, for the default model: tokens, how sure they are, and what they cost."""
    pipe(monkeypatch, b"hello world\n")
    assert main(["llm", "count", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "claude-sonnet-5-5"
    assert found["certainty"] in ("estimated", "reconstructed")
    assert found["tokens"] >= 2 + found["frame"]
    assert found["cost_pusd"] > found["cost_cached_pusd"] > 0
    assert found["cost_most_pusd"] >= found["cost_pusd"]
    pipe(monkeypatch, b"hello world\n")
    assert main(["llm", "count", "-m", "o200k"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["model    o200k", "tokens   2"]


def test_a_folder_is_counted_file_by_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every text below it by name, what is no text left out; the total is their sum and the frame."""
    folder = tmp_path / "code"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text("print(1)\n")
    (folder / "inner" / "b.py").write_text("print(2)\n")
    (folder / "picture.bin").write_bytes(b"\0\1\2")
    (folder / "circle").symlink_to(folder)
    assert main(["llm", "count", str(folder), "-m", "o200k", "-s", "be brief"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["TOKENS", "TEXT"]
    assert [line[1] for line in lines[1:4]] == ["(system", f"{folder}/a.py", f"{folder}/inner/b.py"]
    assert lines[6] == ["tokens", str(sum(int(line[0]) for line in lines[1:4]))]


def test_the_provider_counts_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --ask its endpoint is called once; the second time the count is kept, and nothing is sent."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-planted-secret-planted-secret")
    with serve() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        server.answers = [plain({"input_tokens": 12})]
        for _ in range(2):
            pipe(monkeypatch, b"hello world\n")
            assert main(["llm", "count", "--ask", "--json", "-s", "be brief"]) == 0
            assert json.loads(capsys.readouterr().out)["tokens_asked"] == 12
        assert [path for path, _ in server.asked] == ["/v1/messages/count_tokens"]
        assert server.asked[0][1]["system"]
        pipe(monkeypatch, b"the key is sk-ant-api03-planted-secret-planted-secret")
        assert main(["llm", "count", "--ask"]) == 2
        assert len(server.asked) == 1
    err = capsys.readouterr().err
    assert "planted" not in err


def test_a_retired_model_is_counted_as_its_successor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model that would be billed, and a word about it."""
    pipe(monkeypatch, b"hello")
    assert main(["llm", "count", "-m", "claude-3-5-sonnet-20241022", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["model"] == "claude-sonnet-4-6"
    assert "retired" in captured.err


def test_what_cannot_be_counted_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing, a file that is not there, bytes that are no text, a model nobody serves."""
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\0")
    (tmp_path / "x.txt").write_bytes("Größe".encode("latin-1"))
    pipe(monkeypatch, b"")
    for arguments in ([], [str(tmp_path / "x.bin")], [str(tmp_path / "x.txt")], [str(tmp_path / "none")],
                      [str(tmp_path / "x.txt"), "-m", "gpt-5"]):  # fmt: skip
        assert main(["llm", "count", *arguments]) == 2
    pipe(monkeypatch, b"hello")
    assert main(["llm", "count", "-m", "o200k", "--ask"]) == 2
    assert "hint:" in capsys.readouterr().err
