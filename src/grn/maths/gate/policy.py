"""What a proposed test may be, told from its text: nothing is run here.

The sandbox keeps a test from doing harm; this keeps it from being worthless, and names what a hostile one is
after. A test is one function, of plain arithmetic on the subject and a few packages, with an assertion that
depends on the subject and an expectation that comes from somewhere.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

LARGEST = 20_000
LONGEST_NUMBER = 7
"""Digits from which a number looks like output that was copied."""

ALLOWED = frozenset(
    (
        "__future__", "collections", "decimal", "fractions", "functools", "hypothesis", "itertools",
        "math", "mpmath", "numpy", "pytest", "scipy", "typing"
    )
)  # fmt: skip
_REASONS = {
    "network": (
        "asyncio", "ftplib", "http", "httpx", "httpx2", "requests", "smtplib", "socket", "ssl",
        "urllib", "webbrowser", "xmlrpc"
    ),
    "files": (
        "fileinput", "glob", "io", "mmap", "os", "pathlib", "pickle", "shelve", "shutil",
        "sqlite3", "tempfile", "zipfile"
    ),
    "processes": (
        "concurrent", "ctypes", "multiprocessing", "pty", "resource", "signal", "subprocess",
        "threading", "_thread"
    ),
    "chance or clock": (
        "calendar", "datetime", "random", "secrets", "time", "uuid", "zoneinfo"
    ),
    "the interpreter": (
        "ast", "builtins", "code", "dis", "gc", "importlib", "inspect", "mock", "runpy", "site",
        "sys", "sysconfig", "traceback", "types", "unittest", "weakref"
    ),
}  # fmt: skip
_NAMES = {
    "files": ("open",),
    "the interpreter": (
        "__builtins__", "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit",
        "getattr", "globals", "input", "locals", "quit", "setattr", "vars"
    ),
}  # fmt: skip
_ATTRIBUTES = {
    "files": (
        "DataSource", "fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "memmap",
        "open_memmap", "save", "savetxt", "savez", "savez_compressed", "tofile"
    ),
    "the interpreter": (
        "builtins", "ctypeslib", "f2py", "importlib", "main", "os", "subprocess", "sys",
        "LowLevelCallable"
    ),
}  # fmt: skip
_COPIES = ("hash", "repr", "array_repr", "array_str", "array2string", "tobytes", "hex")


def refusal(text: str, subject: str) -> str:
    """Why a test is refused, or an empty text.

    Parameters
    ----------
    text
        A module with one function ``test_...``.
    subject
        The name of the module under test.
    """
    if len(text) > LARGEST:
        return f"larger than {LARGEST:,} characters"
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "does not parse"
    tests = [n for n in ast.walk(module) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
    if len(tests) != 1 or tests[0] not in module.body:
        return "not one test function"
    for look in (_imports, _reaches, _changes, _chance, _avoids):
        found = next(look(module, subject), "")
        if found:
            return found
    return _fixtures(tests[0]) or _oracle(module, tests[0], subject) or _copied(module)


def _imports(module: ast.Module, subject: str) -> Iterator[str]:
    for node in ast.walk(module):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "" if node.level == 0 else "."]
            if any(alias.name == "*" for alias in node.names):
                yield "imports everything"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            root, *below = name.split(".")
            for reason, modules in _REASONS.items():
                if root in modules or any(part in modules and part != "time" for part in below):
                    yield f"reaches for {reason}: {name}"
            if any(part.startswith("_") and part != "__future__" for part in (root, *below)):
                yield f"reaches for the interpreter: {name}"
            if root not in ALLOWED and root != subject:
                yield f"imports {name}"


def _reaches(module: ast.Module, subject: str) -> Iterator[str]:
    for node in ast.walk(module):
        name, table = "", _NAMES
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name, table = node.attr, _ATTRIBUTES
            if name.startswith("_"):
                yield f"reaches for the interpreter: {name}"
        for reason, names in table.items():
            if name in names:
                yield f"reaches for {reason}: {name}"


def _changes(module: ast.Module, subject: str) -> Iterator[str]:
    own = _imported(module, subject)
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield f"changes what it tests: {ast.unparse(node)}"
        if isinstance(node, ast.Name) and node.id in own and isinstance(node.ctx, ast.Store | ast.Del):
            yield f"changes what it tests: {node.id}"
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield "keeps a state between tests"


def _chance(module: ast.Module, subject: str) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr == "random":
            yield "reaches for chance or clock: random"
        if isinstance(node, ast.Name) and node.id in ("id", "hash"):
            yield f"reaches for chance or clock: {node.id}"


def _avoids(module: ast.Module, subject: str) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Try):
            yield "catches its own failure"
        if isinstance(node, ast.Attribute) and node.attr in (
            "skip",
            "skipif",
            "xfail",
            "importorskip",
            "suppress",
            "exit",
        ):
            yield f"need not run: {node.attr}"
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Yield | ast.YieldFrom):
            yield "does not run as a test"


def _fixtures(test: ast.FunctionDef) -> str:
    """A test takes what Hypothesis or parametrize give it, and no fixture."""
    given: set[str] = set()
    for decorator in test.decorator_list:
        if not isinstance(decorator, ast.Call):
            return "a decorator without arguments"
        name = ast.unparse(decorator.func).split(".")[-1]
        if name == "given":
            given |= {keyword.arg or "" for keyword in decorator.keywords}
        elif name == "parametrize" and decorator.args and isinstance(decorator.args[0], ast.Constant):
            given |= {part.strip() for part in str(decorator.args[0].value).split(",")}
        elif name not in ("settings", "example"):
            return f"a decorator that is not known: {name}"
    asked = [
        a.arg for a in (*test.args.posonlyargs, *test.args.args, *test.args.kwonlyargs) if a.arg not in given
    ]
    return f"asks for a fixture: {asked[0]}" if asked else ""


def _oracle(module: ast.Module, test: ast.FunctionDef, subject: str) -> str:
    """Whether something is asserted that depends on the subject, and on something else."""
    tainted = _from_subject(module, subject)
    asserted = False
    for node in ast.walk(module):
        claim: ast.AST | None = None
        if isinstance(node, ast.Assert):
            claim = node.test
            if isinstance(claim, ast.Constant):
                return "asserts a constant"
            if isinstance(claim, ast.Tuple):
                return "asserts a tuple, which always holds"
            if isinstance(claim, ast.Compare) and ast.dump(claim.left) in map(ast.dump, claim.comparators):
                return "compares a thing with itself"
            if isinstance(claim, ast.BoolOp) and any(isinstance(part, ast.Constant) for part in claim.values):
                return "asserts a constant"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1].startswith("assert_"):
            claim = node
            if len(node.args) >= 2 and ast.dump(node.args[0]) == ast.dump(node.args[1]):
                return "compares a thing with itself"
        elif isinstance(node, ast.With) and any(
            "raises" in ast.unparse(item.context_expr) for item in node.items
        ):
            claim = node
        if claim is not None and any(isinstance(n, ast.Name) and n.id in tainted for n in ast.walk(claim)):
            asserted = True
    return "" if asserted else "asserts nothing of the subject"


def _imported(module: ast.Module, subject: str) -> set[str]:
    """Names under which a test has the subject, or parts of it."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name for alias in node.names if alias.name == subject}
        elif isinstance(node, ast.ImportFrom) and node.module == subject:
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _from_subject(module: ast.Module, subject: str) -> set[str]:
    """Names that the subject reaches: its own, what was imported from it, what was computed from those."""
    names = _imported(module, subject)
    before = -1
    while len(names) != before:
        before = len(names)
        for node in ast.walk(module):
            value = (
                getattr(node, "value", None)
                if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
                else None
            )
            source: ast.AST | None = node.iter if isinstance(node, ast.For | ast.comprehension) else value
            if source is None or not any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(source)):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                names |= (
                    {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
                    if target is not None
                    else set()
                )
        for helper in module.body:
            if not isinstance(helper, ast.FunctionDef) or helper.name.startswith("test"):
                continue
            if any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(helper)):
                names.add(helper.name)
    return names


def _copied(module: ast.Module) -> str:
    """A number or a text that can only have come from running the subject."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and math.isfinite(node.value):
            digits = f"{node.value:.17g}" if node.value else "0"
            short = repr(node.value)
            shown = min(_digits(digits), _digits(short))
            if shown >= LONGEST_NUMBER:
                return f"a snapshot: {short} has no origin"
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _COPIES:
            return f"a snapshot: compares {ast.unparse(node.func)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            return "a snapshot: bytes have no origin"
        if isinstance(node, ast.Compare) and any(
            isinstance(part, ast.Constant) and isinstance(part.value, str)
            for part in (node.left, *node.comparators)
        ):
            return "a snapshot: compares a text"
    return ""


def _digits(text: str) -> int:
    mantissa = text.lower().partition("e")[0].replace(".", "").replace("-", "")
    return len(mantissa.strip("0"))


def shape(text: str) -> str:
    """A test's text without its name, docstring, comments and names of its own: equal for duplicates."""
    module = ast.parse(text)
    renamed: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            renamed[node.name] = f"f{len(renamed)}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            renamed.setdefault(node.id, f"n{len(renamed)}")
        elif isinstance(node, ast.alias) and node.asname:
            renamed.setdefault(node.asname, node.name)
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            node.name = renamed[node.name]
        elif isinstance(node, ast.Name):
            node.id = renamed.get(node.id, node.id)
        elif isinstance(node, ast.alias):
            node.asname = None
    if isinstance(module.body[0], ast.Expr) and isinstance(module.body[0].value, ast.Constant):
        module.body = module.body[1:]
    return ast.dump(module)
