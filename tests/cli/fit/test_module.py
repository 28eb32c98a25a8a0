from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.fit.trained import COMMAND
from grn.fit.training import GIB
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs the extra train")

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(32, 1)
    def example_inputs(self, batch, seq):
        return {"x": torch.zeros(batch, 32), "y": torch.zeros(batch)}
    def forward(self, x, y):
        return nn.functional.mse_loss(self.body(x).squeeze(-1), y)
"""


def test_a_module_is_traced_and_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it takes, in words and as JSON; a run that took a quarter more raises the next prediction so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    (tmp_path / "shown_net.py").write_text(NET)
    asked = ["fit", "shown_net:Net", "--batch", "4", "--memory-gib", "8"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "model          shown_net:Net (traced)\n               33 parameters\n" in shown
    assert "verdict        fits: a card has 8.0 GiB" in shown
    assert main([*asked, "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    outputs = {"device": "a card", "method": "full", "predicted_bytes": GIB, "actual_bytes": GIB * 5 // 4}
    with Ledger.open(ledger_dir()) as book:
        book.finish(book.begin(COMMAND, {"recipe": "x"}), exit_code=0, outputs=outputs)
    assert main([*asked, "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    assert after["memory_gib"] == pytest.approx(1.25 * before["memory_gib"])
    assert (before["calibration"], after["calibration"]["count"]) == (None, 1)
    assert main(["fit", "llama2:7b", "--train", "full", "--memory-gib", "8"]) == 1
    assert "by 1 run here, which took 125% of what was foreseen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["shown_net:Net", "--infer"], "is trained"),
        (["llama3.1:8b", "--trace"], "are for training"),
        (["llama3.1:8b", "--train", "qlora", "--data", "x.npz"], "are for training"),
    ],
)
def test_what_makes_no_sense(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before anything is traced."""
    assert main(["fit", *options]) == 2
    assert says in capsys.readouterr().err
