"""Performance metrics: one definition each, from accumulators (a sweep) or from returns (one path)."""
