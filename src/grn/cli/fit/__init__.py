"""``grn fit``: whether a model fits, how fast it is, and what to do when it does not."""
