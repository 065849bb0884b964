"""The study behind the stored results: what is trained, scored, stored and drawn."""
