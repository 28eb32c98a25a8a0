"""From a checked derivation to NumPy code: stable where the formula cancels, tested against the formula."""
