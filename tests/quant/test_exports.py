from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import grn
import grn.quant

PACKAGES = [grn, grn.quant]


def typed_imports(package: ModuleType) -> dict[str, str]:
    """Name -> module of every import below `if TYPE_CHECKING`."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    block = next(
        n for n in tree.body
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    )  # fmt: skip
    return {
        alias.asname or alias.name: str(found.module)
        for found in block.body
        if isinstance(found, ast.ImportFrom)
        for alias in found.names
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_what_type_checkers_see_is_what_runs(package: ModuleType) -> None:
    """The imports for type checkers, the lazy table and `__all__` name the same things in the same places."""
    assert typed_imports(package) == package._HOME_OF
    assert sorted(package._HOME_OF) == package.__all__ == dir(package)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_every_exported_name_imports(package: ModuleType) -> None:
    """A name is the object of its home, not a copy."""
    for name, home in package._HOME_OF.items():
        assert getattr(package, name) is getattr(import_module(home), name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    """`hasattr` and `from grn import x` work as everywhere else."""
    with pytest.raises(AttributeError, match="has no attribute 'sweeep'"):
        _ = package.sweeep


def test_an_unknown_word_is_answered_with_the_nearest() -> None:
    """`grn.quant.smaa`: the message names what was meant."""
    with pytest.raises(AttributeError, match=r"; did you mean sma"):
        _ = grn.quant.smaa
    assert not hasattr(grn.quant, "__path_of_nothing__")


def test_importing_the_packages_imports_nothing_heavy() -> None:
    """A name costs nothing until it is used."""
    code = (
        "import sys; import grn, grn.quant; grn.__all__, dir(grn.quant);"
        "heavy = {'numpy', 'numba', 'polars', 'plotly', 'arch', 'scipy', 'rich', 'click'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
