"""Contracts of modules: what is proved, what was searched, what failed and where."""
