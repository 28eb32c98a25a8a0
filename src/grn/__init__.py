"""Gracemann Research Node: market data to honest verdicts, deterministically."""
