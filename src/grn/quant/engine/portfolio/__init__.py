"""One account for all symbols, steered by target weights; `walk` is the specification."""
