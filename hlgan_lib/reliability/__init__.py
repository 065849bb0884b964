"""Where L2H fails, and a score that says so without the truth: trust, risk, triage."""
