"""The residual of Black-Scholes: decided from LaTeX by the ladder, beside plain ``sympy.simplify``.

    python -m benchmarks.maths_residual --save maths_residual

Both run in processes of their own; seconds are of one core. `simplify` is stopped after ``--limit-s``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import resource
import time
from collections.abc import Sequence

from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.maths.worker import Worker

GIVEN = (
    "S > 0", "K > 0", r"\sigma > 0", "T > t", r"r \in \mathbb{R}", r"t \in \mathbb{R}",
    r"d_1 := \frac{\ln(S/K) + (r + \sigma^2/2)(T-t)}{\sigma\sqrt{T-t}}",
    r"d_2 := d_1 - \sigma\sqrt{T-t}",
    r"V := S \Phi(d_1) - K e^{-r(T-t)} \Phi(d_2)",
)  # fmt: skip
RESIDUAL = (
    r"\frac{\partial V}{\partial t} + \frac{1}{2} \sigma^2 S^2 \frac{\partial^2 V}{\partial S^2}"
    r" + r S \frac{\partial V}{\partial S} - r V = 0"
)
BAR_S = 1.0


def simplify() -> str:
    """The same residual as SymPy's users write it; what `simplify` makes of it."""
    import sympy as sp

    spot, strike, sigma = sp.symbols("S K sigma", positive=True)
    rate, now, end = sp.symbols("r t T", real=True)
    left = end - now
    one = (sp.log(spot / strike) + (rate + sigma**2 / 2) * left) / (sigma * sp.sqrt(left))
    two = one - sigma * sp.sqrt(left)

    def normal(x: sp.Expr) -> sp.Expr:
        return (1 + sp.erf(x / sp.sqrt(2))) / 2

    value = spot * normal(one) - strike * sp.exp(-rate * left) * normal(two)
    residual = (
        sp.diff(value, now)
        + sigma**2 * spot**2 * sp.diff(value, spot, 2) / 2
        + rate * spot * sp.diff(value, spot)
        - rate * value
    )
    return str(sp.simplify(residual))[:80]


def main(arguments: Sequence[str] | None = None) -> int:
    """Time both; 1 when ours is not proved within a second."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_residual", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit-s", type=float, default=120.0, help="when simplify is stopped")
    parser.add_argument("--save", metavar="NAME", help="write results/NAME.json")
    chosen = parser.parse_args(arguments)
    seconds, kinds = [], set()
    with Worker() as worker:
        worker.decide("x = x", ())  # the start of the process is not part of a step
        for _ in range(chosen.rounds):
            kinds.add(worker.decide(RESIDUAL, GIVEN).kind)
            seconds.append(worker.cpu_s)
    spent, said = _stopped(chosen.limit_s)
    figures = {
        "verdict": sorted(kinds),
        "median_cpu_s": round(median(seconds), 3),
        "slowest_cpu_s": round(max(seconds), 3),
        "simplify_cpu_s": round(spent, 1),
        "simplify_found": said,
    }
    for name, value in figures.items():
        print(f"{name:20} {value}")
    if chosen.save:
        told = {"command": "python -m benchmarks.maths_residual", **figures}
        print(write_result(chosen.save, {**told, "machine": describe_machine(), **describe_code()}).name)
    return int(kinds != {"proved"} or median(seconds) > BAR_S)


def _stopped(limit_s: float) -> tuple[float, str]:
    """Processor seconds of `simplify` and what it found, stopped at a limit of processor time."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=_simplify, args=(writing, limit_s))
    child.start()
    writing.close()
    began = time.perf_counter()
    try:
        spent, said = reading.recv()
    except EOFError:
        spent, said = limit_s, f"stopped after {limit_s:g} s"
    child.join(max(0.1, 10 * limit_s - (time.perf_counter() - began)))
    return spent, said


def _simplify(writing: multiprocessing.connection.Connection, limit_s: float) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 5, int(limit_s) + 5))
    began = time.process_time()
    said = simplify()
    writing.send((time.process_time() - began, said))


if __name__ == "__main__":
    raise SystemExit(main())
