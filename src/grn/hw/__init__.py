"""The machine: what it has, as far as it can be known."""
