"""What every room stands on: errors, canonical forms, files, paths, clock, progress, settings, versions."""
