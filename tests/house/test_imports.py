"""Who imports whom, and what starting costs."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "grn"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
HEAVY = ("arch", "numba", "plotly", "polars", "rich", "scipy")


def modules(folder: Path = SOURCE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def imports_at_the_top(path: Path) -> set[str]:
    """Collect the modules imported when this one is, those for type checking left out."""
    found: set[str] = set()

    def walk(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
            elif isinstance(node, ast.If):
                walk(node.orelse if "TYPE_CHECKING" in ast.unparse(node.test) else [*node.body, *node.orelse])
            elif isinstance(node, ast.Try | ast.With):
                walk(
                    [
                        *node.body,
                        *(line for handler in getattr(node, "handlers", ()) for line in handler.body),
                    ]
                )

    walk(ast.parse(path.read_text(encoding="utf-8")).body)
    return found


def test_the_contracts_hold() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    ran = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in ran.stdout


def test_every_area_has_its_layer() -> None:
    """The contract on areas is exhaustive: a new folder under grn has to be given its place."""
    areas = next(contract for contract in CONTRACTS if contract.get("containers") == ["grn"])
    named = {area.strip() for layer in areas["layers"] for area in layer.split("|")}
    assert areas["exhaustive"] is True
    assert named == {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}


def test_heavy_packages_are_imported_late() -> None:
    """No room's front door costs Numba, Polars, Plotly, arch, SciPy or rich, and below quant no module does.

    A module deep inside may import them at its top if its importers import it inside functions.
    """
    at_the_top = {dotted(path): imports_at_the_top(path) for path in modules()}
    heavy = {
        name for name, imported in at_the_top.items() if {i.partition(".")[0] for i in imported} & set(HEAVY)
    }
    while spread := {name for name, imported in at_the_top.items() if imported & heavy} - heavy:
        heavy |= spread
    doors = {
        dotted(path.parent / "__init__.py") for path in modules() if len(path.relative_to(SOURCE).parts) <= 3
    }
    below = {name for name in at_the_top if name.startswith(("grn.cli", "grn.hw", "grn.kit", "grn.ledger"))}
    assert sorted(heavy & (doors | below)) == []


def test_the_package_is_light() -> None:
    """`import grn`, the public names of quant and every command's module start without the heavy packages."""
    light = ["grn", "grn.quant", *(dotted(path) for path in modules(SOURCE / "cli"))]
    code = f"import importlib, sys\nfor m in {light!r}: importlib.import_module(m)\n"
    code += f"print(sorted({set(HEAVY)!r} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_no_inner_module_imports_the_package_itself() -> None:
    """`grn/__init__` hands names on; an inner module that imports them from there would close a circle."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "grn" not in names, dotted(path)


@pytest.mark.parametrize("package", ["grn", "grn.quant"])
def test_exported_names(package: str) -> None:
    """Every name in `__all__` is there, is listed by `dir`, and functions and classes say what they are."""
    import importlib

    module = importlib.import_module(package)
    names = module.__all__
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(module))
    for name in names:
        thing = getattr(module, name)
        if callable(thing):
            assert thing.__doc__, f"{package}.{name} has no docstring"
