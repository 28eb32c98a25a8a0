"""How Sphinx builds the documentation. Warnings are errors: see the Makefile."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "alpha-metaphorica"
author = "the alpha-metaphorica authors"
copyright = f"2026, {author}"
release = version = installed_version("alpha-metaphorica")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sourcelink = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3  # pages link to each other's headings

# Docstrings are read in the terminal first: single backticks there mean code.
default_role = "literal"
napoleon_google_docstring = False
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": False}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
