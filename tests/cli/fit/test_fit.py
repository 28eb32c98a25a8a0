from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main


def test_a_prediction_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole text for a model and a card of the tables."""
    assert main(["fit", "llama3.1:8b", "--gpu", "RTX 4060 Laptop"]) == 0
    assert capsys.readouterr() == (
        "model            Llama-3.1-8B (table of known models)\n"
        "                 8.03 B parameters, 32 layers, 32 heads of 128, 8 of keys and values\n"
        "weights          4.58 GiB in Q4_K_M\n"
        "cache            1.00 GiB for 8,192 tokens in f16\n"
        "working          0.68 GiB\n"
        "memory           6.26 GiB ± 0.31, 6.88 at most\n"
        "writes           about 46.5 tokens/s\n"
        "reads            about 966 tokens/s, a guess at half the card's peak\n"
        "largest context  16,520 tokens\n"
        "verdict          fits: GeForce RTX 4060 Laptop GPU has 8.0 GiB, and it takes 6.9 at most\n",
        "",
    )


def test_a_clean_no_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What does not fit as it was asked ends with 1, and says what would."""
    asked = ["fit", "llama3.1:8b", "--train", "qlora", "--batch", "2", "--gpu", "RTX 4070 Laptop"]
    assert main(asked) == 1
    out = capsys.readouterr().out
    assert "change            micro-batch 1, gradients summed over 2 (some time: smaller products)\n" in out
    assert "verdict           fits with the change above" in out


def test_json_carries_the_whole_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Bytes and parts; a config of one's own; options of training arrive."""
    config = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
              "intermediate_size": 128, "vocab_size": 100}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    asked = [
        "fit",
        str(tmp_path),
        "--train",
        "full",
        "--seq",
        "1k",
        "--mixed",
        "--no-checkpointing",
        "--memory-gib",
        "8",
    ]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    plan = told.pop("plan")
    assert list(told) == [
        "source", "verdict", "memory_gib", "error_gib", "upper_gib", "tokens_per_s", "changes", "calibration",
        "measured",
    ]  # fmt: skip
    assert (told["verdict"], told["memory_gib"]) == ("here", plan["memory"]["device"] / 2**30)
    assert (plan["job"]["seq"], plan["job"]["mixed"], plan["job"]["checkpointing"]) == (1024, True, False)
    assert plan["memory"]["weights"] == 4 * (2 * (4 * 64 * 64 + 3 * 64 * 128) + 2 * 100 * 64 + 5 * 64)
    assert plan["verdict"]["where"] == "here"


def test_memory_and_bandwidth_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a card that is in no table, or of this machine's memory: 100 GB/s read 4.62 GB and 0.06 of cache."""
    asked = ["fit", "llama3.1:8b", "--memory-gib", "16", "--bandwidth", "100", "--context", "1k", "--json"]
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    speed = told["plan"]["speed"]
    assert told["tokens_per_s"] == speed["decode"]
    assert speed["decode"] == pytest.approx(1 / (speed["read_bytes"] / 100e9 + 32e-4))


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["llama4"], 2, "--hub"),
        (["x.gguf"], 2, "cannot be read"),
        (["llama3.1:8b", "--gpu", "Voodoo"], 2, "not in the table"),
        (["llama3.1:8b", "--infer", "--train", "lora"], 2, "run or trained"),
        (["llama3.1:8b", "--context", "many"], 2, "no number of tokens"),
        (["llama3.1:8b", "--context", "1000k"], 2, "131,072"),
        (["llama3.1:8b", "--quant", "Q1"], 2, "not known"),
        (["llama3.1:8b", "--memory-gib", "0"], 2, "positive"),
        (["bert-base-uncased", "--gpu", "L4"], 2, "encoder"),
    ],
)
def test_bad_input_says_what_to_do(
    capsys: pytest.CaptureFixture[str], args: list[str], code: int, says: str
) -> None:
    """An error and a next step, nothing on stdout."""
    assert main(["fit", *args]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
