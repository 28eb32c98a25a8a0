"""Languages whose syntax is known: grammars that come as packages, nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from grn.kit.errors import require_extra


@dataclass(frozen=True)
class Language:
    """How a language's definitions are called in its grammar.

    Attributes
    ----------
    name
        For people.
    module, function
        Where the grammar is: ``module.function()``.
    functions, classes
        Types of nodes; a function's inside is one piece with it, a class's functions are pieces of their own.
    wrappers
        Types of nodes around a definition that belong to it: decorators, templates, exports.
    leaves
        Types of nodes in which nothing is defined: they are most of a tree, and need not be entered.
    """

    name: str
    module: str
    function: str
    functions: frozenset[str]
    classes: frozenset[str]
    wrappers: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()


def _language(
    name: str,
    functions: str,
    classes: str,
    wrappers: str = "",
    module: str = "",
    function: str = "language",
    leaves: str = "",
) -> Language:
    return Language(
        name,
        module or f"tree_sitter_{name}",
        function,
        frozenset(functions.split()),
        frozenset(classes.split()),
        frozenset(wrappers.split()),
        frozenset(leaves.split()),
    )


_C = (
    "function_definition",
    "struct_specifier enum_specifier union_specifier class_specifier",
    "template_declaration",
)
_JS_FUNCTIONS = "function_declaration generator_function_declaration method_definition"
_TS_CLASSES = "class_declaration abstract_class_declaration interface_declaration enum_declaration"
PYTHON = _language(
    "python",
    "function_definition",
    "class_definition",
    "decorated_definition",
    leaves="expression_statement import_statement import_from_statement assert_statement return_statement",
)
C = _language("c", *_C)
CPP = _language("cpp", *_C)
RUST = _language("rust", "function_item", "impl_item trait_item struct_item enum_item mod_item")
GO = _language("go", "function_declaration method_declaration", "type_declaration")
JAVA = _language(
    "java",
    "method_declaration constructor_declaration",
    "class_declaration interface_declaration enum_declaration record_declaration",
)
JAVASCRIPT = _language("javascript", _JS_FUNCTIONS, "class_declaration", "export_statement")
TYPESCRIPT = _language(
    "typescript", _JS_FUNCTIONS, _TS_CLASSES, "export_statement", function="language_typescript"
)
TSX = _language(
    "tsx", _JS_FUNCTIONS, _TS_CLASSES, "export_statement", "tree_sitter_typescript", "language_tsx"
)

BY_SUFFIX: Mapping[str, Language] = {
    ".py": PYTHON, ".pyi": PYTHON, ".c": C, ".h": CPP, ".cc": CPP, ".cpp": CPP, ".cxx": CPP, ".hpp": CPP,
    ".hh": CPP, ".cu": CPP, ".cuh": CPP, ".rs": RUST, ".go": GO, ".java": JAVA, ".js": JAVASCRIPT,
    ".jsx": JAVASCRIPT, ".mjs": JAVASCRIPT, ".cjs": JAVASCRIPT, ".ts": TYPESCRIPT, ".mts": TYPESCRIPT,
    ".tsx": TSX,
}  # fmt: skip


@cache
def parser(language: Language) -> Any:
    """Give a parser of a language.

    Raises
    ------
    MissingExtraError
        The grammar's package is not installed.
    """
    tree_sitter = require_extra("tree_sitter", "tokens")
    grammar = getattr(require_extra(language.module, "tokens"), language.function)()
    return tree_sitter.Parser(tree_sitter.Language(grammar))
