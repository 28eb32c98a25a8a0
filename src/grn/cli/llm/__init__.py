"""``grn llm``: language models, what they cost, what they said."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "ask": LazyCommand("grn.cli.llm.ask:ask", "Ask a language model"),
        "batch": LazyCommand(
            "grn.cli.llm.batch:batch", "Ask many questions at once, within a day and at a lower price"
        ),
        "later": LazyCommand("grn.cli.llm.later:later", "See, hand in and collect questions that can wait"),
        "cascade": LazyCommand(
            "grn.cli.llm.cascade:cascade",
            "Ask the cheapest model first, and the next one only when a check fails",
        ),
        "cache": LazyCommand("grn.cli.llm.cache:cache", "Have a provider keep a long prompt"),
        "refactor": LazyCommand(
            "grn.cli.llm.refactor:refactor", "Propose a change to FILES that passes a check"
        ),
        "table": LazyCommand("grn.cli.llm.table:table", "Read a table out of a document, with typed columns"),
        "embed": LazyCommand("grn.cli.llm.embed:embed", "Turn TEXTS, or the lines of stdin, into vectors"),
        "rerank": LazyCommand(
            "grn.cli.llm.rerank:rerank", "Order TEXTS, or the lines of stdin, by how well they answer QUERY"
        ),
        "models": LazyCommand("grn.cli.llm.models:models", "List the models and what they cost"),
        "count": LazyCommand(
            "grn.cli.llm.count:count", "Count the tokens of FILES or of what is piped in, and price them"
        ),
        "pack": LazyCommand(
            "grn.cli.llm.pack:pack", "Pack what of the folder PATH answers QUERY, for a model to read"
        ),
        "index": LazyCommand("grn.cli.llm.index:index", "Make folders and files searchable"),
        "search": LazyCommand("grn.cli.llm.search:search", "Search an index by words and by meaning"),
        "squeeze": LazyCommand(
            "grn.cli.llm.squeeze:squeeze", "Write FILE, or what is piped in, with fewer tokens"
        ),
        "import": LazyCommand(
            "grn.cli.llm.import_:import_calls",
            "Read calls of the past from transcripts of coding agents and from usage exports",
        ),
        "reprice": LazyCommand(
            "grn.cli.llm.reprice:reprice", "Price calls of the past under other caches, models and batches"
        ),
        "savings": LazyCommand("grn.cli.llm.savings:savings", "Show what was saved, and by what"),
        "plan": LazyCommand("grn.cli.llm.plan:plan", "Place marks of the prompt cache in recorded requests"),
        "spend": LazyCommand("grn.cli.llm.spend:spend", "Show what calls have cost"),
        "budget": LazyCommand("grn.cli.llm.budget:budget", "Show or set what may be spent in a month"),
        "tape": LazyCommand("grn.cli.llm.tape:tape", "List recorded calls, or move them between machines"),
        "local": LazyCommand("grn.cli.llm.local:local", "See and end models that stay loaded"),
        "keys": LazyCommand("grn.cli.llm.keys:keys", "Show which keys are there, never the keys"),
    },
)
def llm() -> None:
    """Ask language models, record what they say, and know what it costs."""
