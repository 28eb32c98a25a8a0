"""Where the marks of a call go that is about to be sent, and why, for the person who sends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from grn.kit.clock import Clock
from grn.llm.bound import BYTES_PER_TOKEN
from grn.llm.catalogue import Model
from grn.llm.money import usd_short
from grn.llm.plan.cache import Offer
from grn.llm.plan.habits import Landmark
from grn.llm.plan.memory import recall, remembering
from grn.llm.plan.offers import offer_of
from grn.llm.plan.planner import Decision
from grn.llm.plan.prompt import Prompt
from grn.llm.plan.requests import prompt_of
from grn.llm.request import Marks, Request

_NAMES: dict[Landmark, str] = {
    "tools": "the tools",
    "system": "the system prompt",
    "documents": "the material",
    "before": "all but the question",
    "shared": "what was sent before",
    "last": "the question",
}


@dataclass(frozen=True)
class Placement:
    """The marks of a call, and the decision behind them.

    Attributes
    ----------
    prompt
        The call as the cache sees it, its tokens estimated.
    offer
        What the model's cache costs.
    decision
        What was decided, and from which odds.
    """

    prompt: Prompt
    offer: Offer
    decision: Decision

    @property
    def marks(self) -> Marks:
        """As they are to be sent."""
        return self.decision.marks

    def words(self) -> str:
        """Say where the marks are, why, what the prompt would cost, and what it would cost without them."""
        decision, prompt = self.decision, self.prompt
        if prompt.tokens < self.offer.least:
            least = f"fewer than {self.offer.least:,} are not kept"
            return f"no marks: about {prompt.tokens:,} tokens, and {least}"
        if not decision.marks:
            best = max((odds.back for odds in decision.odds.values()), default=0.0)
            return f"no marks: {best:.0%} of such prompts are expected back, too few for what writing costs"
        used = decision.served.usage
        written = used.cache_write_5m + used.cache_write_1h
        where = ", ".join(f"{self._name(place)} ({life})" for place, life in decision.marks)
        ends = [0, *(prompt.ends[place] for place, _ in decision.marks)]
        most = max(range(len(decision.marks)), key=lambda number: ends[number + 1] - ends[number])
        odds = decision.odds[decision.marks[most][0]]  # of the mark that stands for most of it
        return (
            f"about {used.cache_read:,} tokens read, {written:,} written, to the end of {where}; "
            f"{usd_short(decision.served.cost_pusd)} instead of {usd_short(decision.uncached_pusd)}; "
            f"expected back within 5 minutes {odds.short:.0%}, within the hour {odds.back:.0%}"
        )

    def plain(self) -> dict[str, object]:
        """Give it as data; picodollars are of the prompt, the answer left out."""
        used = self.decision.served.usage
        return {
            "marks": [{"block": at, "behind": self._name(at), "life": life} for at, life in self.marks],
            "read_tokens_about": used.cache_read,
            "written_tokens_about": used.cache_write_5m + used.cache_write_1h,
            "prompt_pusd_about": self.decision.served.cost_pusd,
            "uncached_pusd_about": self.decision.uncached_pusd,
            "why": self.words(),
        }

    def _name(self, place: int) -> str:
        landmark = self.decision.landmarks.get(place, "shared")
        return _NAMES[landmark]


class Placer:
    """Places the marks of calls by the calls before them, and keeps what they teach.

    Parameters
    ----------
    path
        The file in which that is kept.
    clock
        Tells when a call is sent.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock

    def place(self, ask: Request, model: Model) -> Placement:
        """Decide on the marks of a call that is sent now; nothing is written.

        Raises
        ------
        UnsupportedError
            The model's maker has no such cache.
        """
        offer = offer_of(model)
        prompt = prompt_of(ask, model.name, self._clock.now_ns() // 1_000_000, _weigh)
        return Placement(prompt, offer, recall(self._path, {model.name: offer}).decide(prompt))

    def keep(self, placement: Placement, begins_ms: int) -> None:
        """Remember a call whose answer has begun, after so long: only then is there something to read.

        Raises
        ------
        OutputError
            It cannot be written down.
        """
        prompt = replace(placement.prompt, begins_ms=begins_ms)
        with remembering(self._path, {prompt.model: placement.offer}) as planner:
            planner.decide(prompt, placement.marks)


def _weigh(_: str, text: str) -> int:
    # As every price before a call: a vocabulary is read for most of a second, and what hangs on it are the
    # shortest length that is kept and the figures that are told.
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
