"""The words of the dialect: which command is what. The page on the dialect is held against these tables."""

from __future__ import annotations

FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "exp": "exp", "ln": "log", "log": "log",
}  # fmt: skip
"""Commands of functions whose argument may stand without parentheses."""

WORDS = {
    "erf": "erf", "erfc": "erfc", "sgn": "sign", "sign": "sign", "tr": "trace", "Tr": "trace", "det": "det",
    "E": "E", "Var": "Var", "Cov": "Cov", "P": "P", "arcsinh": "asinh", "max": "max", "min": "min",
    "exp": "exp", "ln": "log", "log": "log", "sin": "sin", "cos": "cos",
}  # fmt: skip
r"""What ``\operatorname{...}`` and ``\mathrm{...}`` may name, always with parentheses or brackets."""

GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta"),
        *(
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "rho",
            "varrho",
            "sigma",
            "varsigma",
            "tau",
            "upsilon",
        ),
        *("phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma"),
        *("Upsilon", "Phi", "Psi", "Omega", "ell", "hbar"),
    )
)

ACCENTS = {
    "hat": "hat", "bar": "bar", "tilde": "tilde", "widehat": "hat", "overline": "bar", "widetilde": "tilde",
}  # fmt: skip
BOLD = frozenset(("mathbf", "boldsymbol", "bm"))

USUAL_FUNCTIONS = frozenset(("f", "g", "h", "F", "G", "H", "phi", "varphi", "psi", "Psi"))
"""Names that are functions where an argument follows, unless the document says that they are variables."""

SIGNS = {"=": "Eq", "<": "Lt", ">": "Gt"}
RELATIONS = {
    "le": "Le", "leq": "Le", "leqslant": "Le", "ge": "Ge", "geq": "Ge", "geqslant": "Ge",
    "ne": "Ne", "neq": "Ne", "lt": "Lt", "gt": "Gt", "approx": "Approx", "equiv": "Eq",
    "in": "In", "sim": "Sim", "coloneqq": "Define", "succ": "Succ", "succeq": "SuccEq",
}  # fmt: skip
CONNECTIVES = {
    "implies": "Implies", "Rightarrow": "Implies", "Longrightarrow": "Implies",
    "iff": "Iff", "Leftrightarrow": "Iff", "Longleftrightarrow": "Iff",
}  # fmt: skip

SETS = {"R": "Reals", "N": "Naturals", "Z": "Integers", "Q": "Rationals", "C": "Complexes"}

PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|", "||": "||", "lfloor": "rfloor", "lceil": "rceil"}
"""Delimiters by their opening one, named as :meth:`Cursor.delimiter` names them."""

MATRICES = frozenset(("pmatrix", "bmatrix", "matrix", "Bmatrix", "vmatrix"))
