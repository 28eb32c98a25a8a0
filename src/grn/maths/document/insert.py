"""Docstrings put into a module's text by LibCST; nothing else of the module changes, and that is checked."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import libcst as cst

from grn.kit.errors import UsageError

Documented: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_DEEPEST = 100_000

MODULE = ""
"""The name of the module itself among the names of what it defines."""


def insert(source: bytes, docstrings: Mapping[str, str]) -> bytes:
    """Put docstrings into a module, in place of those that are there.

    Parameters
    ----------
    source
        The module as it lies in its file, in whatever encoding it declares.
    docstrings
        Texts by name as :func:`names_of` gives them; indentation and quotes are chosen here.

    Raises
    ------
    UsageError
        The module does not parse, has no such name, or its encoding cannot hold a text.
    """
    before = parse(source)
    unknown = sorted(set(docstrings) - {name for name, _ in names_of(before)})
    if unknown:
        raise UsageError("the module defines no such name", seen=unknown[0])
    try:
        tree = cst.parse_module(source)
    except cst.ParserSyntaxError as error:  # numbers that touch a keyword: `1if x else 2`
        raise UsageError("LibCST cannot read the module", seen=error.message) from error
    # Strings side by side nest in LibCST: one frame and more for each line of a long one.
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, _DEEPEST))
    try:
        after = tree.visit(_Insert(docstrings, tree)).bytes
    except UnicodeEncodeError as error:
        raise UsageError("the module's encoding cannot hold a docstring", seen=tree.encoding) from error
    except RecursionError as error:
        raise UsageError("the module is nested too deeply") from error
    finally:
        sys.setrecursionlimit(usual)
    changed = parse(after)
    said = {name: ast.get_docstring(node) for name, node in names_of(changed)}
    if code_of(changed) != code_of(before):
        raise RuntimeError("inserting docstrings would change the code")
    for name, text in docstrings.items():
        if said[name] != plain(text):
            raise UsageError("a docstring does not survive its quotes", seen=text)
    return after


def parse(source: bytes) -> ast.Module:
    """A module's syntax tree.

    Raises
    ------
    UsageError
        It has none.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError("the module does not parse", seen=str(error)) from error


def names_of(module: ast.Module) -> Iterator[tuple[str, Documented]]:
    """All that can have a docstring, in order: ``""`` for the module, ``Class.method``, ``outer.inner``.

    A name that is defined again (overloads, setters) is counted: ``f``, ``f#2``.
    """
    met: Counter[str] = Counter()

    def visit(node: ast.AST, path: str) -> Iterator[tuple[str, Documented]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = _counted(f"{path}{child.name}", met)
                yield name, child
                yield from visit(child, f"{name}.")
            else:
                yield from visit(child, path)

    yield MODULE, module
    yield from visit(module, "")


def code_of(module: ast.Module) -> str:
    """A module's syntax tree without its docstrings, as text; the tree loses them."""
    for _, node in list(names_of(module)):
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(module)


def plain(text: str) -> str:
    """A docstring's text without its indentation and without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in inspect.cleandoc(text).splitlines())


def quoted(text: str, indent: str, newline: str = "\n") -> str:
    r"""A docstring as Python writes it: raw where a backslash is in it, several lines with their indent."""
    lines = plain(text).splitlines()
    joined = "".join(lines)
    prefix = "r" if "\\" in joined else ""
    if '"""' in joined or joined.endswith(('"', "\\")) or not joined.isprintable():
        prefix = ""
        lines = ["".join(map(_escaped, line)) for line in lines]
    body = newline.join([*lines[:1], *(f"{indent}{line}".rstrip() for line in lines[1:])])
    if len(lines) > 1:
        body += f"{newline}{indent}"
    return f'{prefix}"""{body}"""'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _counted(name: str, met: Counter[str]) -> str:
    met[name] += 1
    return name if met[name] == 1 else f"{name}#{met[name]}"


class _Insert(cst.CSTTransformer):
    """Walks a module in the order of :func:`names_of`, and gives each name its text."""

    def __init__(self, docstrings: Mapping[str, str], module: cst.Module) -> None:
        super().__init__()
        self.docstrings = docstrings
        self.default_indent = module.default_indent
        self.newline = module.default_newline
        self.met: Counter[str] = Counter()
        self.path: list[str] = []
        self.indents: list[str] = []

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> None:
        self.indents.append(self.default_indent if node.indent is None else node.indent)

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        self.indents.pop()
        return updated_node

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        """Nothing that can have a docstring is in a simple statement."""
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._enter(node.name.value)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._enter(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        text = self.docstrings.get(self.path.pop())
        return (
            updated_node if text is None else updated_node.with_changes(body=self._body(updated_node, text))
        )

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        text = self.docstrings.get(self.path.pop())
        return (
            updated_node if text is None else updated_node.with_changes(body=self._body(updated_node, text))
        )

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        text = self.docstrings.get(MODULE)
        if text is None:
            return updated_node
        body = _documented(updated_node.body, quoted(text, "", self.newline), apart=True)
        return updated_node.with_changes(body=body)

    def _enter(self, name: str) -> None:
        above = f"{self.path[-1]}." if self.path else ""
        self.path.append(_counted(f"{above}{name}", self.met))

    def _body(self, node: cst.ClassDef | cst.FunctionDef, text: str) -> cst.IndentedBlock:
        own = node.body
        inner = own.indent if isinstance(own, cst.IndentedBlock) else None
        indent = "".join(self.indents) + (self.default_indent if inner is None else inner)
        written = quoted(text, indent, self.newline)
        if isinstance(own, cst.IndentedBlock):
            return own.with_changes(body=_documented(own.body, written, apart=isinstance(node, cst.ClassDef)))
        # What stands behind its colon moves to a line of its own.
        assert isinstance(own, cst.SimpleStatementSuite)
        moved = cst.SimpleStatementLine(own.body, trailing_whitespace=own.trailing_whitespace)
        return cst.IndentedBlock(_documented([moved], written))


def _documented(
    body: Sequence[cst.BaseStatement], written: str, *, apart: bool = False
) -> list[cst.BaseStatement]:
    """A body with another docstring; comments around the one that was there stay.

    A new one is set `apart` by an empty line: in classes and modules, as PEP 257 asks.
    """
    line = cst.SimpleStatementLine([cst.Expr(cst.SimpleString(written))])
    first = body[0] if body else None
    if not isinstance(first, cst.SimpleStatementLine) or not _is_text(first.body[0]):
        lead = getattr(first, "leading_lines", ())
        if apart and first is not None and not (lead and lead[0].comment is None):
            first = first.with_changes(leading_lines=[cst.EmptyLine(indent=False), *lead])
        return [line, *([] if first is None else [first]), *body[1:]]
    if len(first.body) > 1:
        line = line.with_changes(leading_lines=first.leading_lines)
        return [line, first.with_changes(body=first.body[1:], leading_lines=[]), *body[1:]]
    return [first.with_changes(body=line.body), *body[1:]]


def _is_text(statement: cst.BaseSmallStatement) -> bool:
    if not isinstance(statement, cst.Expr):
        return False
    value = statement.value
    if not isinstance(value, cst.SimpleString | cst.ConcatenatedString):
        return False
    return isinstance(value.evaluated_value, str)
