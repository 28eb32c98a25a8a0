"""Docstrings that somebody proposes: a file, a model, or the derivation that a module was written from."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.errors import ProviderError, UsageError
from grn.maths.document.insert import names_of, parse
from grn.maths.implement.function import describe
from grn.maths.implement.results import Derivation, free_keys, identifier
from grn.maths.syntax import sides

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "docstrings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "docstring": {"type": "string"}},
                "required": ["name", "docstring"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["docstrings"],
    "additionalProperties": False,
}
"""What a model answers with, and what a file of recorded proposals holds."""

WIDTH = 96
"""Of a line of words in a docstring, its indentation apart."""

_RULES = """Write a docstring for every function, method and class of the module below.

- NumPy style, reStructuredText for Sphinx: a summary line, then what a caller must know.
- Sections Parameters (all of them, in order, without types), Returns (with the annotated type), Raises (only
  what is raised in the body).
- A displayed equation (`.. math::`) is one of those listed below, in the same letters; no others.
- Examples are doctests that pass.
- Names: `""` is the module, `Class.method` a method. Change no code.
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A docstring for one name of a module.

    Attributes
    ----------
    name
        As :func:`grn.maths.document.insert.names_of` gives it; ``""`` is the module.
    text
        Without quotes and indentation.
    source
        Who proposes it: ``derivation``, a file's name, a model.
    """

    name: str
    text: str
    source: str


def load_docstrings(path: Path) -> list[Proposal]:
    """Read recorded proposals: ``{"docstrings": [{"name": ..., "docstring": ...}]}``.

    Raises
    ------
    UsageError
        The file cannot be read, or holds something else.
    """
    try:
        return _proposals(path.read_text(encoding="utf-8"), path.name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = '{"docstrings": [{"name": "f", "docstring": "..."}]}'
        raise UsageError("these are no docstrings", seen=f"{path}: {error}", hint=hint) from error


def read_answer(answer: str, model: str) -> list[Proposal]:
    """Read a model's answer.

    Raises
    ------
    ProviderError
        It is not JSON of :data:`SCHEMA`.
    """
    try:
        return _proposals(answer, model)
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderError("the model did not answer with docstrings", seen=answer[:80]) from error


def _proposals(text: str, source: str) -> list[Proposal]:
    return [
        Proposal(str(row["name"]), str(row["docstring"]), source) for row in json.loads(text)["docstrings"]
    ]


def question(source: str, derivation: Derivation | None) -> str:
    """What a model is asked: the rules, the steps that may stand in a docstring, the module."""
    steps = [] if derivation is None else derivation.checked.steps
    listed = "\n".join(
        f"- {step.formula.latex}" for step in steps if step.verdict.kind in ("proved", "assumed")
    )
    return f"{_RULES}\nEquations:\n{listed or 'none'}\n\nThe module:\n```python\n{source}\n```\n"


def from_derivation(source: bytes, trace: Mapping[str, Any], derivation: Derivation) -> list[Proposal]:
    """A docstring for each function of a trace: its equation and step, its parameters and their domains.

    Parameters
    ----------
    source
        The module; what it says of matrices and of what it returns is kept.
    trace
        What ``grn maths implement`` wrote beside it.
    derivation
        The document that it was written from.
    """
    nodes = {name: node for name, node in names_of(parse(source)) if isinstance(node, ast.FunctionDef)}
    module = Path(trace["module"]).stem
    rows = [row for row in trace["functions"] if row["name"] in nodes]
    return [
        Proposal(row["name"], _text(row, nodes[row["name"]], module, derivation), "derivation")
        for row in rows
    ]


def label(module: str, step: int) -> str:
    """What Sphinx calls a step's equation."""
    return f"{module}-step-{step}"


def _text(row: Mapping[str, Any], node: ast.FunctionDef, module: str, derivation: Derivation) -> str:
    said = _said(node)
    document = derivation.checked.path.name
    told = "the definition" if row["verdict"] == "assumed" else f"{row['verdict']} by {row['rule']}"
    lines = [f"Compute ``{row['of']}``, step {row['step']} of {document}.", "", ".. math::", ""]
    lines += [f"    {line.strip()}" for line in display(row["latex"]).splitlines()]
    lines += ["", f":eq:`{label(module, row['step'])}`: {told}."]
    lines += [f"Computed by another form: {rule}." for rule in row["rewritten"]]
    shown = [step.number for step, claim in derivation.claims if step.number != row["step"] and any(
        row["of"] in free_keys(side) for side in sides(claim)
    )]  # fmt: skip
    if shown:
        named = ", ".join(f":eq:`{label(module, step)}`" for step in shown)
        lines += ["", *textwrap.wrap(f"Proved of it: {named}.", WIDTH, break_on_hyphens=False)]
    if row["error_units"] is not None:
        lines += ["", f"Error at most {row['error_units']:.2g} times what rounding the arguments does."]
    parameters = [argument.arg for argument in node.args.args]
    keys = {identifier(key): key for key in derivation.arguments(row["of"])}
    if parameters:
        lines += ["", "Parameters", "----------"]
    for parameter in parameters:
        key = keys.get(parameter, parameter)
        domain = describe(key, derivation.range(key))
        if derivation.symbols.is_matrix(key) or parameter not in keys:
            domain = said.get(parameter, domain)
        lines += [parameter, f"    {domain}"]
    returns = ast.unparse(node.returns) if node.returns else "Array"
    shape = said.get("", "Of the shape that the arguments broadcast to.")
    return "\n".join([*lines, "", "Returns", "-------", returns, f"    {shape}"])


def display(latex: str) -> str:
    """A formula as a display takes it: alignment left out."""
    return latex.replace("&", "").strip()


def _said(node: ast.FunctionDef) -> dict[str, str]:
    """What a function's docstring says of its parameters; of what it returns under the empty name."""
    from docstring_parser import ParseError
    from docstring_parser.numpydoc import parse as parse_docstring

    try:
        read = parse_docstring(inspect.cleandoc(ast.get_docstring(node) or ""))
    except ParseError:
        return {}
    said = {one.arg_name: one.description or "" for one in read.params}
    if read.returns is not None and read.returns.description:
        said[""] = read.returns.description
    return {name: " ".join(text.split()) for name, text in said.items() if text}
