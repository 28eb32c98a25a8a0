"""The section on how to have the same result again."""

from __future__ import annotations

from html import escape

from grn.kit.versions import versions
from grn.quant.report import tables, words
from grn.quant.report.numbers import count, short
from grn.quant.report.subject import Subject


def proof(one: Subject, command: str | None) -> str:
    """Names, command, strategy, rules, data and versions (HTML)."""
    result = one.result
    binding = result.grid.binding(one.combination)
    said = [(k, f'<span class="code">{escape(v)}</span>') for k, v in words.describe_strategy(one.strategy)]
    params = [
        (p.name, f"{escape(words.describe_param(p))}; here {short(binding[p.name])}")
        for p in result.grid.params
    ]
    rules = [(k, escape(v)) for k, v in words.describe_rules(result.rules)]
    used = [f"{escape(k)} {escape(str(v))}" for k, v in versions().items() if v is not None]
    return (
        "<p>The same data, strategy, rules and versions give the same bytes, on any number of threads.</p>\n"
        f"{_command(one, command)}\n{tables.pairs(_names(one))}\n"
        f"<h3>Strategy</h3>\n{tables.pairs(said)}\n"
        + (f"<h3>Parameters</h3>\n{tables.pairs(params)}\n" if params else "")
        + f"<h3>Rules</h3>\n{tables.pairs(rules)}\n"
        f"<h3>Data</h3>\n{tables.data_table(one)}\n"
        f'<h3>Versions</h3>\n<p class="note">{" · ".join(used)}</p>'
    )


def _names(one: Subject) -> list[tuple[str, str]]:
    key = one.result.result_key
    names = [("Result key", f"<code>{escape(key)}</code>" if key else "none: the run was not recorded")]
    if one.validation is not None:
        v = one.validation
        # Not the ledger's row up to which they were counted: run again, the same sweep counts the same trials
        # up to a later row.
        names.append(
            (
                "Verdict",
                f"{count(v.verdict.counted, 'trial')} counted; {count(v.shuffles, 'shuffle')} in blocks of "
                f"{count(v.block, 'bar')}, seed {v.seed}",
            )
        )
    return names


def _command(one: Subject, given: str | None) -> str:
    """The line to type.

    A run's own name is unique and would differ between two runs of the same thing, so it is not on the page:
    the ledger knows which runs have the result key.
    """
    if given is None and not one.result.result_key:
        return (
            '<p class="note">The run is in no ledger: <code>grn.sweep</code> records runs and names them.</p>'
        )
    line = given
    if line is None:
        v = one.validation
        line = "grn quant report RUN"
        line += "" if v is None else f" --shuffles {v.shuffles} --block {v.block} --seed {v.seed}"
    note = "" if given else (
        '\n<p class="note">RUN is any run in the ledger with the result key below: <code>grn '
        'ledger</code> lists '
        "them.</p>"
    )  # fmt: skip
    return f'<pre class="command"><code>{escape(line)}</code></pre>{note}'
