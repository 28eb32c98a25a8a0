"""The program in the jail: looks for arguments that break a contract; run by its path.

It reads a question and writes an answer, one line of JSON each. Hypothesis draws from the declared ranges,
the same examples each time; CrossHair follows the paths of functions of scalars with an SMT solver. Both look
at one contract in a process of its own.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import math
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

BOX = Path("/box")


def main() -> None:
    """Answer one question."""
    answers = os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    question = json.loads(sys.stdin.readline())
    (BOX / f"{question['module']}.py").write_text(question["source"], encoding="utf-8")
    sys.path.insert(0, str(BOX))
    for name in ("hypothesis.strategies", "crosshair.core_and_libs"):  # once, and not in every child
        importlib.import_module(name)
    try:
        subject = importlib.import_module(question["module"])
    except BaseException as error:  # whatever a module raises: it cannot be imported
        answer: dict[str, Any] = {"fault": f"{type(error).__name__}: {error}"}
    else:
        answer = {"found": [_verify(subject, contract, question) for contract in question["contracts"]]}
    os.write(answers, json.dumps(answer).encode() + b"\n")


def _verify(subject: ModuleType, contract: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    seconds = question["seconds"]
    return {
        "function": contract["function"],
        "search": _in_a_child(lambda: _search(subject, contract, question["examples"]), seconds),
        "paths": _in_a_child(lambda: _paths(subject, contract, question["paths"], seconds / 2), seconds),
    }


def _in_a_child(work: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """What a function says in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    try:
        return dict(json.loads(told))
    except ValueError:
        return {"ended": f"status {os.waitstatus_to_exitcode(status)}"}


def _search(subject: ModuleType, contract: dict[str, Any], examples: int) -> dict[str, Any]:
    """Random search: arguments from their ranges, broken ones made small."""
    from hypothesis import HealthCheck, assume, given, settings
    from hypothesis import strategies as st

    function = getattr(subject, contract["function"])
    names = [parameter["name"] for parameter in contract["parameters"]]
    drawn = [_strategy(parameter, st) for parameter in contract["parameters"]]
    ran = {"examples": 0}
    broken: dict[str, Any] = {}

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*drawn))
    def holds(values: tuple[Any, ...]) -> None:
        room = dict(zip(names, values, strict=True))
        assume(all(eval(pre, vars(subject) | {"math": math}, dict(room)) for pre in contract["pre"]))  # noqa: S307 the module's own
        ran["examples"] += 1
        why = _broken(function, contract, room, subject)
        if why:
            broken.update(arguments=room, why=why)
            raise AssertionError(why)

    try:
        holds()
    except AssertionError:
        return {**ran, **broken}
    return dict(ran)


def _broken(
    function: Callable[..., Any], contract: dict[str, Any], room: dict[str, Any], subject: Any
) -> str:
    """How a call breaks its contract; empty where it does not."""
    try:
        value = function(**room)
    except Exception as error:
        known = type(error).__name__ in contract["raises"]
        return "" if known else f"{type(error).__name__}: {error}"
    if hasattr(value, "dtype"):
        value = float(value)
    if contract["finite"] and not math.isfinite(value):
        return f"the value is {value!r}"
    scope = {**vars(subject), "math": math, "_": value, "__return__": value}
    for post in contract["post"]:
        if not eval(post, scope, dict(room)):  # noqa: S307 the module's own
            return f"{post} does not hold of {value!r}"
    return ""


def _strategy(parameter: dict[str, Any], st: Any) -> Any:
    low, high = parameter["low"], parameter["high"]
    if parameter["kind"] == "bool":
        return st.booleans()
    if parameter["kind"] == "int":
        drawn = st.integers(None if low is None else int(low), None if high is None else int(high))
    else:
        drawn = st.floats(low, high, allow_nan=False, allow_infinity=False)
    return drawn.filter(bool) if parameter["nonzero"] else drawn


def _paths(subject: ModuleType, contract: dict[str, Any], paths: int, seconds: float) -> dict[str, Any]:
    """Paths of a function of scalars, followed by an SMT solver."""
    from crosshair.core_and_libs import AnalysisKind, analyze_function, run_checkables
    from crosshair.options import AnalysisOptionSet

    name = contract["function"]
    called = f"original_{name}" if contract["twin"] else f"subject.{name}"
    takes = ", ".join(f"{p['name']}: {p['kind']}" for p in contract["parameters"])
    given = ", ".join(p["name"] for p in contract["parameters"])
    pre = [text for parameter in contract["parameters"] for text in _bounds(parameter)] + contract["pre"]
    post = ["math.isfinite(_)"] * contract["finite"] + contract["post"]
    said = "".join(f"    pre: {text}\n" for text in pre) + "".join(f"    post: {text}\n" for text in post)
    if contract["raises"]:
        said += f"    raises: {', '.join(contract['raises'])}\n"
    returns = "float" if contract["finite"] else "object"
    source = (
        "import math\nfrom typing import Any\n"
        f"import {subject.__name__} as subject\nfrom {subject.__name__} import *\n"
        f"{contract['twin']}\n\n"
        f"def held({takes}) -> {returns}:\n    '''Hold.\n\n{said}    '''\n    return {called}({given})\n"
    )
    (BOX / "held.py").write_text(source, encoding="utf-8")
    module = importlib.import_module("held")
    vars(module)["mp"] = _scalars()
    options = AnalysisOptionSet(
        analysis_kind=[AnalysisKind.PEP316],
        report_all=True,
        max_iterations=paths,
        per_condition_timeout=seconds,
    )
    told = run_checkables(analyze_function(module.held, options))
    function = getattr(subject, name)
    return {
        "messages": [
            [one.state.name, one.message, _replayed(one.message, function, contract, subject)] for one in told
        ]
    }


def _replayed(
    message: str, function: Callable[..., Any], contract: dict[str, Any], subject: ModuleType
) -> str | None:
    """How the code itself breaks at an example of the solver; empty where it does not, None without one."""
    called = re.search(r"when calling held\((.*?)\)(?: \(which|$)", message)
    if called is None:
        return None
    names = [parameter["name"] for parameter in contract["parameters"]]
    try:
        values = ast.literal_eval(f"({called[1]},)")
    except (ValueError, SyntaxError):
        return None
    return _broken(function, contract, dict(zip(names, values, strict=True)), subject)


def _bounds(parameter: dict[str, Any]) -> list[str]:
    """Preconditions of one argument: finite, and in its range."""
    name, low, high = parameter["name"], parameter["low"], parameter["high"]
    said = [f"math.isfinite({name})"] if parameter["kind"] == "float" else []
    said += [f"{name} >= {low!r}"] if low is not None else []
    said += [f"{name} <= {high!r}"] if high is not None else []
    return said + ([f"{name} != 0"] if parameter["nonzero"] else [])


def _scalars() -> SimpleNamespace:
    """What a formula needs of mpmath, for numbers of double precision."""
    room = {name: getattr(math, name) for name in dir(math) if not name.startswith("_")}

    def ncdf(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    def npdf(x: float) -> float:
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    return SimpleNamespace(**{**room, "ln": math.log, "mpf": float, "ncdf": ncdf, "npdf": npdf})


if __name__ == "__main__":
    main()
