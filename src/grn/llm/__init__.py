"""Language models without middlemen: asked, priced, capped, recorded and replayed."""
