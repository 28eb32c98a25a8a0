"""Files cut into pieces: functions, classes without them, what is left of a module, sections of Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from grn.llm.tokens.pack.languages import BY_SUFFIX, Language, parser

Kind = Literal["function", "class", "module", "section", "text"]
_BLOCK = 60  # lines of a piece of a text without any structure
_HEADING = re.compile(r"#{1,6}\s+(?P<title>.+)")
_FENCE = re.compile(r"\s*(?:```|~~~)")


@dataclass(frozen=True)
class Chunk:
    """A piece of a file. Every line of the file is in exactly one.

    Attributes
    ----------
    kind
        What it is.
    name
        ``Class.function``, a heading; empty for the rest of a module.
    lines
        Its lines, numbered from 1.
    signature
        Those of them that say what it is: the head of a function or class, a heading.
    """

    kind: Kind
    name: str
    lines: tuple[int, ...]
    signature: tuple[int, ...] = field(default=())


def cut(path: str, text: str) -> list[Chunk]:
    """Cut a file into pieces, in the order of their first lines.

    What does not parse is cut as far as it does: tree-sitter goes on after an error. Languages that are not
    known, and texts, are cut into blocks.

    Raises
    ------
    MissingExtraError
        The grammar of a known language is not installed.
    """
    n_lines = len(text.splitlines()) or 1
    suffix = PurePosixPath(path).suffix.lower()
    language = BY_SUFFIX.get(suffix)
    if language is not None:
        return _cut_code(text, n_lines, language)
    if suffix in (".md", ".markdown"):
        return _cut_markdown(text.splitlines(), n_lines)
    spans = range(1, n_lines + 1, _BLOCK)
    return [Chunk("text", "", tuple(range(at, min(at + _BLOCK, n_lines + 1)))) for at in spans]


@dataclass
class _Found:
    kind: Kind
    name: str
    first: int
    last: int
    signature: tuple[int, ...]


def _cut_code(text: str, n_lines: int, language: Language) -> list[Chunk]:
    # "\r" and form feeds end lines for `splitlines` and not for tree-sitter: both see "\n" alone.
    tree = parser(language).parse("\n".join(text.splitlines()).encode("utf-8", "replace"))
    found = _definitions(tree.root_node, language)
    # The innermost definition of a line has it: outer ones come before inner ones.
    owner = [-1] * (n_lines + 1)
    for number, one in enumerate(found):
        for line in range(one.first, min(one.last, n_lines) + 1):
            owner[line] = number
    lines: dict[int, list[int]] = {}
    for line in range(1, n_lines + 1):
        lines.setdefault(owner[line], []).append(line)
    chunks = []
    for number, mine in lines.items():
        if number < 0:
            chunks.append(Chunk("module", "", tuple(mine)))
        else:
            one = found[number]
            signature = tuple(line for line in one.signature if owner[line] == number)
            chunks.append(Chunk(one.kind, one.name, tuple(mine), signature))
    return sorted(chunks, key=lambda chunk: (chunk.lines[0], chunk.kind))


def _definitions(root: Any, language: Language) -> list[_Found]:
    """Find definitions, outer ones first; functions inside functions are part of them."""
    found: list[_Found] = []
    todo: list[tuple[Any, Any, str]] = [(root, None, "")]  # node, the wrapper around it, the class it is in
    while todo:
        node, wrapper, inside = todo.pop()
        is_function = node.type in language.functions or _is_arrow(node)
        is_class = node.type in language.classes and node.child_by_field_name("body") is not None
        is_class = is_class or (node.type in language.classes and language.name == "go")
        name = inside
        if is_function or is_class:
            outer = wrapper if wrapper is not None else node
            own = _name(node)
            name = f"{inside}.{own}" if inside and own else own or inside
            first, last = outer.start_point[0] + 1, outer.end_point[0] + 1
            head = _head(node, first)
            found.append(_Found("function" if is_function else "class", name, first, last, head))
        if not is_function and node.type not in language.leaves:
            around = wrapper if wrapper is not None and not is_class else None
            if node.type in language.wrappers:
                around = around if around is not None else node
            elif node.type in ("class_body", "block", "declaration_list", "statement_block"):
                around = None
            todo += [(child, around, name) for child in reversed(node.children)]
    return sorted(found, key=lambda one: (one.first, -one.last))


def _is_arrow(node: Any) -> bool:
    """Whether it is ``const name = (…) => …``: how many functions of JavaScript are written."""
    if node.type != "lexical_declaration":
        return False
    values = [
        child.child_by_field_name("value") for child in node.children if child.type == "variable_declarator"
    ]
    return any(
        value is not None and value.type in ("arrow_function", "function_expression") for value in values
    )


def _name(node: Any) -> str:
    """Read a definition's name, through C's declarators and Rust's ``impl Trait for Type``."""
    for field_name in ("name", "type", "declarator"):
        inner = node.child_by_field_name(field_name)
        while inner is not None and inner.child_by_field_name("declarator") is not None:
            inner = inner.child_by_field_name("declarator")
        if inner is not None and field_name == "type" and node.type == "function_definition":
            continue  # what a C function returns
        if inner is not None:
            return str(inner.text.decode("utf-8", "replace"))
    for child in node.children:
        if child.type in ("variable_declarator", "type_spec"):
            return _name(child)
    return ""


def _head(node: Any, first: int) -> tuple[int, ...]:
    body = node.child_by_field_name("body")
    start = node.start_point[0] + 1
    if body is None:
        return tuple(range(first, start + 1))
    at = body.start_point[0] + 1
    # A brace ends the head's own line; a block of Python begins below it, unless all stands on one line.
    braced = body.text[:1] == b"{"
    return tuple(range(first, max(at + 1 if braced else at, start + 1)))


def _cut_markdown(lines: Sequence[str], n_lines: int) -> list[Chunk]:
    starts: list[tuple[int, str]] = []
    fenced = False
    for number, line in enumerate(lines, 1):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is not None:
            starts.append((number, heading["title"].strip()))
    if not starts or starts[0][0] > 1:
        starts.insert(0, (1, ""))
    ends = [first for first, _ in starts[1:]] + [n_lines + 1]
    return [
        Chunk("section", title, tuple(range(first, end)), (first,) if title else ())
        for (first, title), end in zip(starts, ends, strict=True)
    ]
