from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np

from grn.kit.versions import cpu_model, package_version, versions


def test_versions_are_those_that_run() -> None:
    """What the metadata say is what an import would say."""
    found = versions()
    assert found["numpy"] == np.__version__
    assert found["python"] == platform.python_version()
    assert set(found) == {"grn", "python", "numpy", "numba", "llvmlite", "polars", "platform", "cpu"}


def test_versions_import_nothing_heavy() -> None:
    """Recording the version of Numba must not cost importing it."""
    code = (
        "import sys; from grn.kit.versions import versions; versions(); "
        "assert not {'numpy', 'numba', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_that_is_not_installed_has_no_version() -> None:
    """None, not an exception."""
    assert package_version("grn-no-such-distribution") is None


def test_the_processor_is_named_by_the_kernel(tmp_path: Path) -> None:
    """Runs of blanks are one; a file without a name gives None."""
    (tmp_path / "proc").mkdir()
    file = tmp_path / "proc/cpuinfo"
    file.write_text("processor : 0\nmodel name\t: Intel(R) Core(TM)   i9-14900HX\n")
    assert cpu_model(tmp_path) == "Intel(R) Core(TM) i9-14900HX"
    file.write_text("processor : 0\n")
    assert cpu_model(tmp_path) is None
