"""What takes two areas: between the command line and the areas, which never import each other."""
