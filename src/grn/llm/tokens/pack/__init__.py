"""The best context for a question within a budget of tokens: chunks of code, ranked, packed."""
