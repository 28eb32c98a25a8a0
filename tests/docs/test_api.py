"""The page on the Python API shows every exported name."""

from __future__ import annotations

import importlib

import pytest

from tests.docs.blocks import ROOT


@pytest.mark.parametrize("package", ["grn", "grn.quant"])
def test_the_package_is_on_the_page(package: str) -> None:
    """Each public package has its section, which lists the members of `__all__`."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    assert f".. automodule:: {package}\n   :members:\n   :imported-members:\n" in page
    assert importlib.import_module(package).__all__
