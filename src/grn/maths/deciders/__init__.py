"""Deciders: each knows one kind of step, and says nothing of what it does not know."""
