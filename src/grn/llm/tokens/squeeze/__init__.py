"""Fewer tokens for the output of tools: without loss, or without the lines that bear no load."""
