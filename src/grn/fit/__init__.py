"""What a piece of work needs of a machine, known before it is started: memory, time, and where it fits."""
