"""What the loop trains: the two stages, their fine-tune, and the baselines."""

from .base import Batch, Logs, Task, d_terms, g_terms, grid, hold_out, spread
from .baselines import CycleGANTask, SRGANTask
from .two_stage import H2LTask, JointTask, L2HTask

__all__ = [
    "Batch",
    "CycleGANTask",
    "H2LTask",
    "JointTask",
    "L2HTask",
    "Logs",
    "SRGANTask",
    "Task",
    "d_terms",
    "g_terms",
    "grid",
    "hold_out",
    "spread",
]
