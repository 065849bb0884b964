"""Where L2H fails, and a score that says so without the ground truth: trust, risk, triage."""

from .signs import HRFeatures, hr_features, look_distance

__all__ = ["HRFeatures", "hr_features", "look_distance"]
