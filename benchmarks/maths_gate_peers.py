"""Public tools on the modules of ``maths_gate``: mutmut's own run of a suite, Pynguin's own suite.

Both live in environments of their own, made here: neither agrees with the packages of this project. Pynguin
runs a module with arguments that it makes up, so its environment is asked for by ``--peers`` only.
"""

from __future__ import annotations

import ast
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MUTMUT, PYNGUIN = "mutmut==3.8.1", "pynguin==0.48.0"
BESIDE = ("mpmath==1.3.0", "numpy==2.4.6", "pytest", "scipy==1.17.1")
SEARCH_S, ENDED_S = 30, 180
"""What Pynguin may search for in one module, and when it is ended, seconds; its authors give it 600."""

KILLED = ("killed", "timeout", "suspicious", "segfault")


@dataclass(frozen=True)
class Survivor:
    """A mutant that a suite lets pass, and why no test can tell; an empty reason where one could."""

    mutant: str
    change: str
    reason: str


def make_environment(folder: Path, package: str) -> Path:
    """An environment with a package and what the modules import; its Python. Made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        uv = Path(sys.prefix) / "bin" / "uv"
        subprocess.run([uv, "venv", "-q", "--python", "3.11", folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, package, *BESIDE], check=True)
    return python


def run_mutmut(module: Path, suite: Path, place: Path, python: Path, *, shown: bool = True) -> dict[str, Any]:
    """Let mutmut run a suite: how many it makes, how many are killed, and what those are that are not."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "tests").mkdir(parents=True)
    (place / "src").mkdir()  # mutmut wants sources below a folder of their own
    shutil.copy(module, place / "src")
    shutil.copy(suite, place / "tests" / f"test_{module.stem}.py")
    (place / "setup.cfg").write_text("[mutmut]\nsource_paths=src\n", encoding="utf-8")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENBLAS_NUM_THREADS": "1"}

    def mutmut(*arguments: str) -> str:
        command = [python, "-m", "mutmut", *arguments]
        ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        return ran.stdout

    mutmut("run", "--max-children", "1")
    outcomes = dict(re.findall(r"^\s*(\S+): ([a-z ]+)$", mutmut("results", "--all", "true"), re.MULTILINE))
    left = [name for name, outcome in outcomes.items() if outcome.strip() not in KILLED]
    source = module.read_text(encoding="utf-8")
    found: dict[str, Any] = {"mutants": len(outcomes), "killed": len(outcomes) - len(left)}
    if shown:
        found["survivors"] = [asdict(_survivor(name, mutmut("show", name), source)) for name in left]
    return found


def _survivor(name: str, shown: str, source: str) -> Survivor:
    """A mutant with its changed line, and the reason why it is equal to the original, where there is one."""
    after = [line[1:].strip() for line in shown.splitlines() if re.match(r"\+(?!\+\+)", line)]
    change = " ".join(after)
    function = re.sub(r"^.*\.x_|__mutmut_\d+$", "", name)
    kind = re.search(r"np\.asarray\(x(?:, dtype=None|, )?\) for x in", change)
    if kind and _only_passes_on(function, source):
        return Survivor(
            name, change, "what it leaves unconverted goes only to functions that convert it: equal"
        )
    return Survivor(name, change, "")


def _only_passes_on(function: str, source: str) -> bool:
    """Whether the parameters of a function are only handed on to functions of the same module."""
    module = ast.parse(source)
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    found = functions[function]
    names = {parameter.arg for parameter in found.args.args}
    body = [
        node
        for node in found.body
        if not isinstance(node, ast.Expr) and "np.asarray" not in ast.unparse(node)
    ]
    passed = {
        id(argument)
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
        for argument in node.args
    }
    used = (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name))
    return all(id(node) in passed for node in used if node.id in names)


def run_pynguin(module: Path, place: Path, pynguin: Path, mutmut: Path) -> dict[str, Any]:
    """Let Pynguin write a suite for a module, and mutmut run it."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(module, place)
    environment = {**os.environ, "PYNGUIN_DANGER_AWARE": "1", "PYTHONHASHSEED": "0"}
    command = [
        *(pynguin.with_name("pynguin"), "--project-path", place, "--module-name", module.stem),
        *("--output-path", place / "suite", "--seed", "1", "--maximum-search-time", str(SEARCH_S)),
        # Every assertion is kept: the default takes minutes to find those that kill nothing.
        *("--assertion-generation", "SIMPLE"),
    ]
    told, before = subprocess.DEVNULL, resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.Popen(
        command, cwd=place, env=environment, stdout=told, stderr=told, start_new_session=True
    )
    try:
        ran.wait(ENDED_S)
    except subprocess.TimeoutExpired:
        os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = round(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1)
    suite = place / "suite" / f"test_{module.stem}.py"
    if not suite.exists():
        return {"mutants": 0, "killed": 0, "tests": 0, "cpu_s": cpu_s, "ended": "without a suite"}
    found = run_mutmut(module, suite, place / "mutmut", mutmut, shown=False)
    tests = sum(line.startswith("def test_") for line in suite.read_text(encoding="utf-8").splitlines())
    return {**found, "tests": tests, "cpu_s": cpu_s}
