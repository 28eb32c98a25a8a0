"""Tokens: how many a text has for the model that will be billed, and how to say the same with fewer."""
