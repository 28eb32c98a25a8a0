from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from grn.kit.errors import BudgetError, UsageError
from grn.llm import keys
from grn.llm.calls import Caller, Terms
from grn.llm.money import PICO, parse_usd
from grn.llm.request import Message, Text
from grn.llm.spend import Book
from tests.llm.asks import FLASH, asking
from tests.llm.conftest import KEY
from tests.llm.servers import Server, anthropic_stream, gemini_stream, gemini_text, plain

Make = Callable[..., Caller]


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)


def test_a_quote_bounds_what_a_call_can_cost(caller: Make, server: Server) -> None:
    """A token for every byte, and the dearest class: nothing is sent to know it."""
    quote = caller().quote(asking("x" * 1_000, max_tokens=100))
    assert quote.prompt_most >= 1_000
    assert quote.prompt_about < 300
    # 200,000 pUSD a token written to the cache for an hour, 500,000 a token of answer (Claude Haiku 5.5).
    assert quote.most_pusd == quote.prompt_most * 200_000 + 100 * 500_000
    assert server.asked == []


def test_a_call_over_its_own_limit_is_refused_unsent(caller: Make, server: Server, book: Book) -> None:
    """--max-cost: no count of the prompt helps when the answer alone may cost more."""
    terms = Terms(max_cost_pusd=parse_usd("0.00001"))
    with pytest.raises(BudgetError, match="more than --max-cost"):
        list(caller().stream(asking(max_tokens=4096), terms))
    assert server.asked == []
    assert book.calls() == []


def test_a_bound_that_is_too_wide_is_counted(caller: Make, server: Server, book: Book) -> None:
    """The bound by bytes says no, the provider's free count says yes: the call is made, within it."""
    words = "word " * 2_000
    server.answers = [plain({"input_tokens": 2_000}), anthropic_stream(["ok"], first={"input_tokens": 2_000})]
    list(caller().stream(asking(words, max_tokens=10), Terms(max_cost_pusd=1_000_000_000)))
    assert [path for path, _ in server.asked] == ["/v1/messages/count_tokens", "/v1/messages"]
    (row,) = book.calls()
    assert row.reserved_pusd == (2_000 * 21 // 20 + 64) * 200_000 + 10 * 500_000
    assert row.cost_pusd is not None
    assert row.cost_pusd <= row.reserved_pusd


def test_the_month_s_budget_refuses_with_code_4(caller: Make, server: Server, book: Book) -> None:
    """Nothing is sent; the message says what is left, and the override lets one call pass."""
    book.set_cap("anthropic", 1_000, "prepaid")
    with pytest.raises(BudgetError) as caught:
        list(caller().stream(asking()))
    assert caught.value.exit_code == 4
    assert "--over-budget" in (caught.value.hint or "")
    assert server.asked == []
    server.answers = [anthropic_stream(["ok"])]
    list(caller().stream(asking(), Terms(over_budget=True)))
    assert book.standing("anthropic").spent_pusd > 1_000


def test_private_words_go_to_paid_providers_only(caller: Make, server: Server, book: Book) -> None:
    """Google's key counts as unpaid until its owner says otherwise; Anthropic's does not."""
    private = Terms(private=True)
    with pytest.raises(BudgetError, match="used for training"):
        list(caller().stream(asking(model=FLASH), private))
    assert server.asked == []
    book.set_cap("google", 20 * PICO, "invoice")
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1}
    server.answers = [gemini_stream([gemini_text("ok", "STOP", usage)]), anthropic_stream(["ok"])]
    list(caller().stream(asking(model=FLASH), private))
    list(caller().stream(asking(), private))


def test_a_prompt_with_a_key_in_it_is_not_sent(caller: Make, server: Server) -> None:
    """Pasting a key by mistake costs nothing and tells nobody; the message does not repeat it."""
    with pytest.raises(UsageError) as caught:
        list(caller().stream(asking(f"my key is {KEY}, why does it not work?")))
    assert KEY not in str(caught.value)
    assert server.asked == []


def test_a_key_of_the_keyring_is_not_sent_either(
    caller: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the question, and not to be counted before it; in others' words it is masked."""
    import keyring

    stored = "a-key-of-a-form-that-nobody-knows"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setattr(keyring, "get_password", lambda service, name: stored)
    monkeypatch.setattr(keys, "_STORED", {})
    for terms in (None, Terms(max_cost_pusd=10**8)):
        with pytest.raises(UsageError, match="system keyring, anthropic") as caught:
            list(caller().stream(asking(f"why does {stored} not work?" + "x" * 2_000), terms))
        assert stored not in str(caught.value)
    assert server.asked == []
    assert keys.mask(f"no {stored}") == "no [key]"


def test_a_prompt_longer_than_the_window_is_not_sent(caller: Make) -> None:
    """By the estimate, against the model's real window."""
    ask = asking("x" * 5_000_000)
    with pytest.raises(UsageError, match=r"about 1,250,008 tokens, and claude-haiku-5-5 takes 1,000,000"):
        caller().quote(ask)


def test_a_model_of_nobody_s(caller: Make) -> None:
    """A name that belongs to no provider here is said to be unknown."""
    with pytest.raises(UsageError, match="nobody is known"):
        list(caller().stream(asking(model="gpt-5")))


def test_projects_are_told_apart(caller: Make, server: Server, book: Book) -> None:
    """The tag goes into the book and nowhere else."""
    server.answers = [anthropic_stream(["ok"])]
    list(caller().stream(asking(), Terms(project="thesis")))
    assert book.calls()[0].project == "thesis"
    assert "thesis" not in str(server.asked)


def test_a_conversation_is_sent_as_it_was(caller: Make, server: Server) -> None:
    """Turns keep their order and roles."""
    server.answers = [anthropic_stream(["ok"])]
    ask = asking("third")
    turns = (Message("user", (Text("first"),)), Message("assistant", (Text("second"),)), *ask.messages)
    list(caller().stream(replace(ask, messages=turns)))
    sent = server.asked[0][1]["messages"]
    assert [(turn["role"], turn["content"][0]["text"]) for turn in sent] == [
        ("user", "first"),
        ("assistant", "second"),
        ("user", "third"),
    ]
