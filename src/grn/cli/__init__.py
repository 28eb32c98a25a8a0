"""What a person types: ``grn AREA VERB`` is one module or one command of an area's module."""
