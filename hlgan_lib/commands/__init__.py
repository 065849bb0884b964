"""The commands of `hlgan`, one file a family; none imports torch before it runs."""
