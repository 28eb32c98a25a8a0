from __future__ import annotations

import pytest

from grn.hw.cards import MODELS, find_model, parse_cards


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("NVIDIA GeForce RTX 4090", "GeForce RTX 4090"),
        ("rtx 4090", "GeForce RTX 4090"),
        ("RTX 4060 Laptop", "GeForce RTX 4060 Laptop GPU"),
        ("4070 ti", None),
        ("NVIDIA H100 80GB HBM3", "H100 80GB HBM3"),
        ("a100", "A100-SXM4-80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB"),
        ("Tesla T4", "Tesla T4"),
        ("Radeon", None),
        ("", None),
    ],
)
def test_cards_are_found_by_any_of_their_names(said: str, name: str | None) -> None:
    """As the driver writes it or as people do; never another card of a similar name."""
    model = find_model(said)
    assert (model.name if model else None) == name


def test_every_data_sheet_makes_sense() -> None:
    """A name each, a known generation, and positive figures."""
    assert len({model.name for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert find_model(model.name) is model
        assert model.generation
        assert min(model.memory_gib, model.bandwidth_gb_s, model.bf16_tflops) > 0


def test_what_the_driver_lists_is_read() -> None:
    """Names with commas; a figure that it does not give; an unknown card without bandwidth; a sentence."""
    cards = parse_cards(
        "GPU-1, Card, with comma, 24564, [N/A], 580.1, [N/A]\n"
        "GPU-2, NVIDIA H200, 143771, 4, 580.1, 9.0\nNo devices were found\n"
    )
    assert [(c.name, c.capability, c.generation, c.bandwidth_gb_s) for c in cards] == [
        ("Card, with comma", None, None, None), ("NVIDIA H200", "9.0", "Hopper", 4800),
    ]  # fmt: skip
