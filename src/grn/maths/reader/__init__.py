"""From LaTeX to a tree: what cannot be read in one way only is refused, with its place."""
