from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.fit.attention import choose_kernel
from grn.fit.card import CLUSTER, GIB, Place, best_place, cluster_cards, named_card
from grn.fit.inference import Use, plan_inference
from grn.fit.known import MODELS
from grn.fit.training import Job, predict_memory
from grn.fit.tuning import plan_training
from grn.hw.cards import Gpu
from grn.hw.probe import Machine
from grn.kit.errors import UsageError

LAPTOP = named_card("RTX 4070 Laptop")
BARE = Machine("AMD EPYC", 2, 2, 2, None, None, 24.0, None, 20.0, None, ())


def test_an_eight_billion_model_runs_on_a_laptop_card() -> None:
    """Llama 3.1 8B, 4 bits, 8,192 tokens on 8 GB: fits also at the upper bound, at the published 47
    tokens/s.
    """
    plan = plan_inference(MODELS["Llama-3.1-8B"], Use(), LAPTOP)
    assert plan.verdict.where == "here"
    assert (plan.weights + plan.cache + plan.working + plan.context, plan.changes) == (plan.device, ())
    assert plan.speed is not None
    assert 44 < plan.speed.decode < 48
    assert plan.use.context < plan.largest_context < 20_000


@pytest.mark.parametrize(
    ("use", "changes"),
    [
        (Use("Q4_K_M", 24_576), ["cache in 8 bits (q8_0)"]),
        (Use("Q4_K_M", 32_768), ["context of 16,384 tokens"]),
        (Use("Q8_0"), ["weights in Q5_K_M"]),
        (Use("Q8_0", 32_768), ["cache in 8 bits (q8_0)", "weights in Q4_K_S"]),
    ],
)  # fmt: skip
def test_the_cheapest_change_comes_first(use: Use, changes: list[str]) -> None:
    """One change where one is enough; the changed work then fits."""
    plan = plan_inference(MODELS["Llama-3.1-8B"], use, LAPTOP)
    assert [change.what for change in plan.changes] == changes
    assert plan.verdict.where == "changed"


def test_what_is_far_too_large_goes_to_the_cluster() -> None:
    """DeepSeek-V3 has 377 GiB in 4 bits: several cards, sharded; part of it on a card is all that is left
    here.
    """
    plan = plan_inference(MODELS["DeepSeek-V3"], Use(context=4096), best_place(BARE))
    assert (plan.verdict.where, plan.verdict.card, plan.verdict.count) == ("cluster", "A100-SXM4-80GB", 6)
    assert (plan.speed, plan.largest_context) == (None, 0)


def test_a_model_can_lie_on_card_and_processor() -> None:
    """Where no smaller setting is enough, as many layers as there is room for."""
    plan = plan_inference(MODELS["Qwen2.5-14B"], Use(context=1024, quantisation="Q3_K_M", cache="q8_0"),
                          replace(LAPTOP, memory=6 * GIB))  # fmt: skip
    (change,) = plan.changes
    assert change.what.startswith("put ")


def test_nonsense_is_refused() -> None:
    """An encoder writes nothing; a context, and a sequence, longer than the model's; an unknown cache or
    card.
    """
    with pytest.raises(UsageError, match="encoder"):
        plan_inference(MODELS["BERT-base"], Use(context=512), LAPTOP)
    with pytest.raises(UsageError, match="131,072"):
        plan_inference(MODELS["Llama-3.1-8B"], Use(context=200_000), LAPTOP)
    with pytest.raises(UsageError, match="512"):
        plan_training(MODELS["BERT-base"], Job("full", 1024), LAPTOP)
    with pytest.raises(UsageError, match="kind of cache"):
        Use(cache="q2")
    with pytest.raises(UsageError, match="at least one token"):
        Use(context=0)
    with pytest.raises(UsageError, match="not in the table"):
        named_card("Voodoo 2")


def test_training_names_what_makes_it_fit() -> None:
    """QLoRA of 8 B with two long sequences on 8 GB: one at a time fits, and is the cheapest change that
    does.
    """
    plan = plan_training(MODELS["Llama-3.1-8B"], Job(batch=2), LAPTOP)
    assert [change.what for change in plan.changes] == ["micro-batch 1, gradients summed over 2"]
    assert (plan.verdict.where, plan.largest_batch) == ("changed", 1)
    assert predict_memory(MODELS["Llama-3.1-8B"], Job(batch=1)).device <= LAPTOP.memory
    whole = plan_training(MODELS["Llama-3.1-8B"], Job("full"), LAPTOP)
    assert [change.what for change in whole.changes][-1] == "weights in 4 bits (qlora)"
    assert whole.largest_seq == 0


def test_bert_trains_on_a_laptop_card() -> None:
    """BERT-base, 32 sentences of 128 tokens in mixed precision: here, also at the upper bound."""
    plan = plan_training(MODELS["BERT-base"], Job("full", 128, 32, checkpointing=False, mixed=True), LAPTOP)
    assert plan.verdict.where == "here"
    assert plan.tokens_per_s is not None


def test_without_a_card_training_goes_to_the_cluster() -> None:
    """The smallest card that is sure to be enough; changes are of no use."""
    plan = plan_training(MODELS["Llama-3.1-8B"], Job(), best_place(BARE))
    assert (plan.verdict.where, plan.changes, plan.verdict.card) == ("cluster", (), CLUSTER[0])
    assert "no card here" in plan.verdict.reason


@given(st.sampled_from(sorted(MODELS)), st.sampled_from(["full", "lora", "qlora"]), st.integers(1, 512),
       st.integers(1, 8), st.booleans(), st.floats(2, 90))  # fmt: skip
def test_verdicts_keep_their_word(
    name: str, method: str, seq: int, batch: int, kept: bool, gib: float
) -> None:
    """Here is at most the card, tight as predicted; changes are only proposed where it does not fit."""
    place = replace(LAPTOP, memory=gib * GIB)
    job = Job(method, seq, batch, checkpointing=not kept)  # type: ignore[arg-type]
    plan = plan_training(MODELS[name], job, place)
    fits = {"here": plan.memory.upper <= place.memory, "tight": plan.memory.device <= place.memory}
    assert fits.get(plan.verdict.where, plan.memory.device > place.memory)
    assert bool(plan.changes) == (plan.verdict.where == "changed")
    assert (plan.largest_seq >= seq) == (plan.memory.device <= place.memory)


@pytest.mark.parametrize(
    ("capability", "kernel", "says"),
    [
        ((8, 9), "sdpa", "Ada"),
        ((8, 0), "sdpa", "FlashAttention-3 needs Hopper"),
        ((9, 0), "flash3", "Hopper"),
        ((10, 0), "flash4", "Blackwell"),
        ((12, 0), "sdpa", "consumer Blackwell"),
        ((7, 5), "sdpa", "older than Ampere"),
        (None, "sdpa", "no card is known"),
    ],
)
def test_attention_kernels_are_chosen_by_generation(
    capability: tuple[int, int] | None, kernel: str, says: str
) -> None:
    """Ada gets no FlashAttention-3, whatever a library's guard accepts; every choice has its reason."""
    chosen = choose_kernel(capability)
    assert chosen.name == kernel
    assert says in chosen.reason


def test_the_best_place_of_a_machine() -> None:
    """The card with the most memory, less what is in use, with its data sheet; an unknown card has no
    speed; else the processor.
    """
    two = (
        Gpu("1", "NVIDIA L4", 22.5, 0.5, "1", "8.9", "Ada", 300.0),
        Gpu("2", "Unheard of", 23.0, None, "1", None, None, None),
    )
    assert best_place(replace(BARE, cards=two[:1])) == Place("NVIDIA L4", 22 * GIB, 300.0, 121, (8, 9))
    assert best_place(replace(BARE, cards=two)) == Place("Unheard of", 23 * GIB, None, None, None)
    assert best_place(BARE) == Place("AMD EPYC, no card", 20 * GIB, None, None, None, is_card=False)


def test_cards_of_a_cluster() -> None:
    """The smallest that is enough; above the largest, several of the common one with a tenth to spare."""
    assert cluster_cards(39 * GIB) == ("A100-SXM4-40GB", 1)
    assert cluster_cards(100 * GIB) == ("H200", 1)
    assert cluster_cards(200 * GIB) == ("A100-SXM4-80GB", 3)
