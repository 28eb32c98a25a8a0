"""The page: sections put into one HTML file that asks the network for nothing."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Final

from grn.kit.versions import grn_version
from grn.quant.report import account, choice, proof, surroundings, verdict
from grn.quant.report.numbers import count
from grn.quant.report.palette import DARK, LIGHT
from grn.quant.report.slots import embed
from grn.quant.report.subject import Subject
from grn.quant.schema.stamps import stamp

POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
"""What the browser may load: nothing but what stands in the file.  Plotly draws maps as data images."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="grn {version}">
<title>{title}</title>
<style>
{colours}
{css}
</style>
<noscript><style>.plot, .tools, #theme {{ display: none; }}</style></noscript>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header>
<div class="bar"><p class="kicker">{kicker}</p>
<button type="button" id="theme" aria-label="Switch between light and dark">
<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
<circle cx="12" cy="12" r="8.25" fill="none" stroke="currentColor" stroke-width="1.5"/>
<path d="M12 3.75a8.25 8.25 0 0 1 0 16.5z" fill="currentColor"/>
</svg></button></div>
<h1>{title}</h1>
<p class="lead">{lead}</p>
<p class="about">{about}</p>
<p class="terms">{terms}</p>
<nav aria-label="Sections"><ul>{nav}</ul></nav>
</header>
<noscript><p class="note">
Figures need JavaScript; the tables and conclusions on this page do not.</p></noscript>
<main id="main">
{body}
</main>
<footer><p>grn {version}</p></footer>
<script type="application/json" id="palette">{palette}</script>
<script id="plotly">{plotly}</script>
<script>
{script}
</script>
</body>
</html>
"""

_TERMS: Final = (
    "A <dfn>setting</dfn> is one combination of parameter values, a <dfn>row</dfn> one setting on one "
    "symbol. A <dfn>trial</dfn> is a row as the ledger counts it: those of every sweep ever run on this "
    "data, each once."
)
"""The three words for what was run, defined where they are first met."""


def render(one: Subject, *, title: str, command: str | None = None) -> str:
    """The whole report.

    Parameters
    ----------
    one : what it is about.
    title : headline, plain text.
    command : line that reproduces the report.
    """
    from plotly.offline import get_plotlyjs

    sections = [
        ("verdict", "Is it luck?", verdict.opening(one)),
        ("choosing", "Does choosing help?", choice.choosing(one)),
        ("equity", "Equity", account.equity(one)),
        ("months", "Monthly returns", account.months(one)),
        ("trades", "Trades", account.trading(one)),
        ("parameters", "Parameters", surroundings.parameters(one)),
        ("metrics", "Metrics", account.metrics(one)),
        ("costs", "Costs", account.expenses(one)),
        ("robustness", "Robustness", choice.robustness(one)),
        ("proof", "How to reproduce it", proof.proof(one, command)),
    ]
    if one.validation is None:
        # Without a verdict the equity curve opens the page, and the note on the verdict follows it.
        sections.insert(0, sections.pop(2))
    kept = [section for section in sections if section[2]]
    return _PAGE.format(
        policy=POLICY,
        version=escape(grn_version()),
        title=escape(title),
        colours=colours(),
        css=_resource("page.css"),
        kicker=escape(one.label),
        lead=escape(verdict.headline(one)),
        about=_about(one),
        terms=_TERMS,
        nav="".join(f'<li><a href="#{name}">{head}</a></li>' for name, head, _ in kept),
        body="\n".join(_section(name, head, html) for name, head, html in kept),
        palette=embed({light: DARK[name] for name, light in LIGHT.items()}),
        plotly=get_plotlyjs(),
        script=_resource("page.js"),
    )


def colours() -> str:
    """The palette as custom properties: light, dark by the system's wish, either by the reader's."""
    light = ";".join(f"--{name}:{value}" for name, value in LIGHT.items())
    dark = ";".join(f"--{name}:{value}" for name, value in DARK.items())
    return (
        f":root{{{light};color-scheme:light}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark};color-scheme:dark}}}}\n"
        f":root[data-theme=dark]{{{dark};color-scheme:dark}}\n"
        f"@media print{{:root:root:root{{{light};--paper:#fff;color-scheme:light}}}}"
    )


def _section(name: str, head: str, html: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-head">\n'
        f'<h2 id="{name}-head">{head}</h2>\n{html}\n</section>'
    )


def _about(one: Subject) -> str:
    """What was run, in a line (HTML)."""
    bars = one.result.bars
    first, last = min(int(b.ts_ns[0]) for b in bars), max(int(b.ts_ns[-1]) for b in bars)
    symbols = escape(bars[0].symbol) if len(bars) == 1 else count(len(bars), "symbol")
    tried = f"{count(len(one.result.grid), 'setting')} on {symbols}: {count(len(one.result), 'row')}"
    return f"{tried}, {stamp(first)} to {stamp(last)}, {count(max(len(b) for b in bars), 'bar')}"


def _resource(name: str) -> str:
    return files("grn.quant.report").joinpath(name).read_text(encoding="utf-8").strip()
