"""Models on this machine: where their files are, how they are loaded, how many threads they get."""
