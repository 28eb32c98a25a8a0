"""Docstrings that are proposed: held against signature, markup, examples and derivation, then inserted."""
