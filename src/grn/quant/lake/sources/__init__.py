"""Sources of market data, one file each. `grn.quant.lake.source` says what they have in common."""
