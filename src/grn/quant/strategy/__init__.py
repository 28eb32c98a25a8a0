"""Strategies: expressions over columns, indicators and parameters; data, not callbacks."""
