"""Films of checked derivations: a storyboard, its equations from proved steps, rendered by Manim."""
