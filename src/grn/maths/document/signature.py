"""Whether a docstring says what a signature and a body say: parameters, returns, yields, exceptions."""

from __future__ import annotations

import ast

from grn.maths.document.insert import names_of, parse

_HELD = frozenset((1, 3, 101, 102, 103, 104, 201, 202, 302, 303, 306, 307, 402, 403, 501, 502, 503))
"""Rules of pydoclint that count. Types are left out: they stand in the signature, where mypy reads them."""


def faults(documented: bytes, name: str) -> list[str]:
    """What is wrong with the docstring of one name of a module, in pydoclint's words.

    Parameters
    ----------
    documented
        The module with the docstring in it.
    name
        As :func:`grn.maths.document.insert.names_of` gives it.
    """
    from pydoclint.visitor import Visitor

    nodes = dict(names_of(parse(documented)))
    node = nodes[name]
    if isinstance(node, ast.Module):
        return []
    visitor = Visitor(
        style="numpy",
        argTypeHintsInDocstring=False,
        skipCheckingShortDocstrings=False,
        allowInitDocstring=True,
        checkReturnTypes=False,
        checkYieldTypes=False,
        checkClassAttributes=False,
        # A property is written as an attribute, a special method is known.
        ignoreUnderscoreOnlyArgs=True,
        shouldDocumentStarArguments=True,
        omitStarsWhenDocumentingVarargs=True,
    )
    above = nodes.get(name.rpartition(".")[0])
    inner: ast.stmt = node
    if isinstance(node, ast.ClassDef):
        inner = ast.ClassDef(node.name, node.bases, node.keywords, _head(node), node.decorator_list)
    if isinstance(above, ast.ClassDef):
        inner = ast.ClassDef(above.name, above.bases, above.keywords, [inner], above.decorator_list)
    visitor.visit(ast.fix_missing_locations(ast.Module([inner], [])))
    return [_told(one.msg, one.fullErrorCode) for one in visitor.violations if one.code in _HELD]


def _head(node: ast.ClassDef) -> list[ast.stmt]:
    """A class's docstring and its constructor: what its parameters are held against."""
    own = [inner for inner in node.body if isinstance(inner, ast.FunctionDef) and inner.name == "__init__"]
    bare = [ast.FunctionDef(one.name, one.args, one.body[:0] or [ast.Pass()], [], one.returns) for one in own]
    return [*node.body[:1], *bare]


def _told(message: str, code: str) -> str:
    text = message.split(" (Or could be")[0]
    _, found, listed = message.partition(" ). ")
    return " ".join(f"{text} {listed if found else ''} [{code}]".split())
