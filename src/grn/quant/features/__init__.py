"""Features from market data: lazy frames in, lazy frames out, in one pass over data larger than memory.

Bars from trades, returns, volatility, calendars, cross-sections and joins as of a moment look back only:
cutting off later rows changes no earlier value.  `labels` looks ahead by nature; its columns begin with
``ahead_``, a name that no strategy can read.
"""
