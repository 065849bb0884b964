"""What the loop trains: the two stages and their fine-tune, and the rivals, as tasks of one loop."""

from .base import Logs, Task, d_terms, g_terms, grid, hold_out, spread
from .baselines import CycleGANTask, SRGANTask
from .two_stage import H2LTask, JointTask, L2HTask

__all__ = [
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
