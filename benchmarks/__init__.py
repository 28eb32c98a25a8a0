"""Claims about speed, each with one command; numbers are compared before anything is timed."""
