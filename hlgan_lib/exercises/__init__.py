"""The exercises of the notebooks, one file each, with their checks and hints."""
