"""Technical indicators: one scalar recurrence each, read by people, run as Python and compiled by Numba.

Every kernel is a plain function ``kernel(*inputs, *params, *scratch, *outputs)`` over sequences of floats.
Run on lists it is the reference; compiled (``registry.jitted``) it is the fast version. Both give the same
bits, because a kernel uses only ``+ - * /``, ``math.sqrt`` and comparisons, in one order.

Rules that hold for every indicator:

- **Causal.** ``out[t]`` depends on ``x[0..t]`` only.
- **Missing values.** A value that is not finite (NaN or an infinity, e.g. of a ratio with denominator 0) is
  missing. An output whose window holds a missing value is NaN. Recursive indicators are seeded anew behind
  it: what follows equals what a series starting there would give.
- **Undefined values.** Where the formula reads 0/0 or divides by zero (RSI of a flat stretch, z-score of a
  constant window) the output is NaN: no number is made up, and a comparison with NaN gives no signal.
- **Warm-up.** The first ``warmup(params)`` outputs are NaN; all outputs of one indicator start on one bar.
- **Flat stretches.** On a constant window a mean is exactly that constant, a deviation or slope exactly 0.
"""
