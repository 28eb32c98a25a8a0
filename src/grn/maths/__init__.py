"""Derivations in LaTeX: read without guessing, and every step decided or left undecided."""
