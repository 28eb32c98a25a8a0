"""Figures on their way into the page: each leaves its drawing as data and its conclusion as words."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go


def place(name: str, figure: go.Figure, *, caption: str, alt: str, tools: str = "", head: str = "") -> str:
    """HTML that stands for a figure until the page's script draws it.

    Parameters
    ----------
    name : unique on the page; the drawing goes to the element ``plot-<name>``.
    figure : its title is dropped, because the page has headings.
    caption : the conclusion in words (HTML).
    alt : the same for those who do not see the figure (plain text).
    tools : buttons above the figure (HTML).
    head : heading (HTML).
    """
    figure.update_layout(title=None, margin={"t": max(12, figure.layout.margin.t - 32)})
    height = int(figure.layout.height)
    figure.layout.height = None
    spec = embed(json.loads(figure.to_json(engine="json")))
    top = (f"<h3>{head}</h3>" if head else "") + (f'<div class="tools">{tools}</div>' if tools else "")
    return (
        f'<figure id="{name}-figure">{top}\n'
        f'<div class="plot" id="plot-{name}" style="height:{height}px" role="img" '
        f'aria-label="{escape(alt)}"></div>\n'
        f'<script type="application/json" data-for="plot-{name}">{spec}</script>\n'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def embed(data: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can close that; keys are sorted."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
