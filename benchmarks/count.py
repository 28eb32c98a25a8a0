"""How many tokens a text has at most for models whose vocabulary is not public: weights, and how they hold.

    python -m benchmarks.count [--texts 12000] [--ctok FOLDER]

Texts are pieces of files that Python and the installed packages bring: code of several languages, data,
pages, translations. Each has one of three sides, by the hash of its package: weights are found on one,
widened on the second, and what is reported is the third. What is counted against: for Claude the
reconstruction ``ctok``, which its authors found equal to the provider's own count in all but one of 962,054
texts; it wants Python 3.12, so elsewhere its unpacked wheel is named. For Gemini the vocabulary of Gemma 3,
through llama.cpp.
Both counts are the content's, without the frame of a message.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import hashlib
import math
import random
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from benchmarks.measure import describe_code, describe_machine, write_result
from grn.llm.tokens.estimate import Features, features

_KINDS = (
    "c", "cfg", "css", "csv", "h", "html", "js", "json", "md", "po", "py", "pyi", "pyx", "rst", "sql", "toml",
    "ts", "txt", "xml", "yaml",
)  # fmt: skip
_SHORTEST, _LONGEST = 40, 40_000  # letters of a text
_PER_PACKAGE = 40  # files of one kind
_FIXED = 8.0
_BLOCKS = ((0x3041, 0x3096), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x0430, 0x044F), (0x0905, 0x0939))
# A comma, a full stop, brackets, quotes of East Asian scripts, by number: they look like others.
_BETWEEN = (*map(chr, (0x3001, 0x3002, 0xFF08, 0xFF09, 0x300C, 0x300D, 0xFF0C, 0xFF1A, 0xB7, 0x2014, 0x2026)),
            " ", "\n", "Python ", " is ", "2026")  # fmt: skip
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A text, and which side it is on: ``fit``, ``margin`` or ``held out``."""

    package: str
    kind: str
    side: str
    text: str


def pieces(wanted: int) -> list[Piece]:
    """Cut texts out of installed files; the same ones for the same packages."""
    found = []
    for package, kind, path in _files():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        # A translation is on the side of its language.
        side = _side(package if kind != "po" else path.parents[1].name)
        rng = random.Random(f"{package}/{path.name}")
        size = int(math.exp(rng.uniform(math.log(_SHORTEST), math.log(_LONGEST))))
        start = rng.randrange(max(len(text) - size, 0) + 1)
        # Whole lines where there are some: half a word is what nobody counts.
        start = text.rfind("\n", 0, start) + 1 if start else 0
        cut = text[start : start + size]
        if len(cut) >= _SHORTEST:
            found.append(Piece(package, kind, side, cut))
    order = sorted({piece.text: piece for piece in found}.values(), key=lambda piece: _hash(piece.text))
    return order[:wanted]


def hard(found: list[Piece]) -> list[Piece]:
    """Make texts of those to fit that no vocabulary knows: enciphered, encoded, drawn from scripts.

    Without them the bound is exceeded by what one vocabulary knows by heart (filler in Latin) and another
    does not.
    """
    made = []
    for number, piece in enumerate([piece for piece in found if piece.side == "fit"][::25]):
        rng = random.Random(number)
        data = piece.text.encode()[:2000]
        first, last = _BLOCKS[number % len(_BLOCKS)]
        signs = [chr(rng.randint(first, last)) for _ in range(rng.randint(20, 400))]
        drawn = "".join(rng.choice(_BETWEEN) if rng.random() < 0.15 else sign for sign in signs)
        for kind, text in (
            ("rot13", codecs.encode(piece.text, "rot13")),
            ("base64", base64.b64encode(rng.randbytes(len(data))).decode()),
            ("hex", data.hex(" ", 4)),
            ("script", drawn),
        ):
            made.append(Piece("made", kind, "fit", text))
    return made


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _files() -> Iterator[tuple[str, str, Path]]:
    paths = sysconfig.get_paths()
    for root in sorted({paths["stdlib"], paths["purelib"]}):
        taken: dict[tuple[str, str], int] = {}
        for path in sorted(Path(root).rglob("*")):
            kind = path.suffix[1:]
            if kind not in _KINDS or "site-packages" in path.relative_to(root).parts or not path.is_file():
                continue
            package = path.relative_to(root).parts[0]
            # Every language of a translation is a kind of its own.
            key = (package, kind if kind != "po" else str(path.parent))
            taken[key] = taken.get(key, 0) + 1
            if taken[key] <= _PER_PACKAGE:
                yield package, kind, path


def _side(package: str) -> str:
    share = _hash(package)[0] / 256
    return "fit" if share < 0.35 else "margin" if share < 0.5 else "held out"


def fit(matrix: Array, truth: Array) -> tuple[Array, Array]:
    """Find the weights: of the middle (least absolute deviation) and of the upper bound; none is negative.

    Both weigh a text by the inverse of its tokens: a long one says no more than a short one.
    """
    n, k = matrix.shape
    scaled = matrix / truth[:, None]
    ones = np.ones(n)
    # Least absolute deviation: scaled @ w + over - under = 1, the least sum of over and under.
    balance = sparse.hstack([sparse.csr_matrix(scaled), sparse.eye(n), -sparse.eye(n)], format="csr")
    cost = np.concatenate([np.zeros(k), ones, ones])
    middle = optimize.linprog(cost, A_eq=balance, b_eq=ones, bounds=(0, None), method="highs")
    # The bound: scaled @ w + fixed/truth >= 1, the least sum of scaled @ w.
    most = optimize.linprog(
        scaled.sum(axis=0), A_ub=-scaled, b_ub=-(ones - _FIXED / truth), bounds=(0, None), method="highs"
    )
    if not (middle.success and most.success):
        raise SystemExit(f"no weights: {middle.message}; {most.message}")
    return middle.x[:k], most.x


def report(pieces_: list[Piece], truth: Array, about: Array, most: Array) -> dict[str, object]:
    """Say how estimates hold on the texts held out: exceeded how often, by how much, how far above."""
    held = np.array([piece.side == "held out" for piece in pieces_])
    over = truth > most
    beyond = (truth / most - 1.0)[held & over]
    wide = (most / truth - 1.0)[held]
    worst = sorted(
        (
            (float(t / m - 1), piece)
            for t, m, piece, keep in zip(truth, most, pieces_, held & over, strict=True)
            if keep
        ),
        key=lambda pair: -pair[0],
    )
    by_kind = {}
    for kind in sorted({piece.kind for piece in pieces_}):
        chosen = held & np.array([piece.kind == kind for piece in pieces_])
        if chosen.any():
            by_kind[kind] = {
                "texts": int(chosen.sum()),
                "exceeded": int((chosen & over).sum()),
                "above_median": round(float(np.median((most / truth - 1.0)[chosen])), 4),
            }
    size = truth[held]
    return {
        "texts": int(held.sum()),
        "tokens": int(size.sum()),
        "exceeded": int((held & over).sum()),
        "exceeded_share": float((held & over).sum() / held.sum()),
        "exceeded_by_most": round(float(beyond.max()), 4) if beyond.size else 0.0,
        "exceeded_in": [
            f"{piece.package} ({piece.kind}, {len(piece.text)} letters)" for _, piece in worst[:5]
        ],
        "above_median": round(float(np.median(wide)), 4),
        "above_p95": round(float(np.quantile(wide, 0.95)), 4),
        "above_of_all": round(float(most[held].sum() / size.sum() - 1.0), 4),
        "about_error_median": round(float(np.median(np.abs(about[held] / size - 1.0))), 4),
        "about_error_p95": round(float(np.quantile(np.abs(about[held] / size - 1.0), 0.95)), 4),
        "by_kind": by_kind,
    }


def calibrate(found: list[Piece], matrix: Array, truth: Array) -> dict[str, object]:
    """Find weights on the texts to fit, widen them on those for the margin, report the rest."""
    kept = truth > 0
    side = np.array([piece.side for piece in found])
    chosen = kept & (side == "fit")
    about, most = fit(matrix[chosen], truth[chosen])
    margin = kept & (side == "margin")
    need = float(np.max((truth[margin] - _FIXED) / (matrix[margin] @ most)))
    widen = max(1.0, math.ceil(need * 20) / 20)  # the next twentieth: texts to come are stranger than these
    most = np.ceil(most * widen * 1e4) / 1e4
    about = np.round(about, 4)
    named = lambda weights: {n: float(w) for n, w in zip(Features._fields, weights, strict=True) if w}  # noqa: E731
    picked = [piece for piece, keep in zip(found, kept, strict=True) if keep]
    rows = matrix[kept]
    return {
        "weights": {"about": named(about), "most": named(most), "fixed": _FIXED, "widened": round(widen, 4)},
        "tokens_per_o200k": round(float(truth[kept].sum() / rows[:, 0].sum()), 4),
        "held_out": report(picked, truth[kept], rows @ about, np.ceil(rows @ most + _FIXED)),
    }


def truths(folder: str | None) -> dict[str, Callable[[str], int]]:
    """Give what counts, by the name of the weights."""
    from grn.llm.tokens.vocabularies import count_gguf

    if folder is not None:
        sys.path.insert(0, folder)
    from ctok import token_count

    # The frames are those of the package's own tables.
    return {
        "claude_3": lambda text: token_count(text, "3.0") - 7,
        "claude_4_7": lambda text: token_count(text, "4.7") - 11,
        "gemma_3": lambda text: count_gguf(text, "local"),
    }


def main() -> None:
    """Find weights, hold them against the other half, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=12_000)
    parser.add_argument("--ctok", help="folder of the unpacked wheel, where Python is older than 3.12")
    options = parser.parse_args()
    began = time.perf_counter()
    found = pieces(options.texts)
    found += hard(found)
    matrix = np.array([features(piece.text) for piece in found], dtype=np.float64)
    result: dict[str, object] = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": f"python -m benchmarks.count --texts {options.texts}",
        "letters": sum(len(piece.text) for piece in found),
        "packages": len({piece.package for piece in found}),
    }
    for name, count in truths(options.ctok).items():
        truth = np.array([count(piece.text) for piece in found], dtype=np.float64)
        result[name] = calibrated = calibrate(found, matrix, truth)
        print(
            name, calibrated["weights"], {k: v for k, v in calibrated["held_out"].items() if k != "by_kind"}
        )  # type: ignore[attr-defined]
    result["seconds"] = round(time.perf_counter() - began, 1)
    print(write_result("count", result))


if __name__ == "__main__":
    main()
