"""Calls that others made for this person: read from transcripts and exports, kept apart from all budgets."""
