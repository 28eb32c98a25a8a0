"""Engines: plain Python as the truth, fused compiled kernels with the same bits."""
