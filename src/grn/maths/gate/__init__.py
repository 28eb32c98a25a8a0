"""A gate for tests: a proposal runs where it can do no harm, and stays if it catches something new."""
