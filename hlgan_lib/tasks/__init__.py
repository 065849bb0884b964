"""What the loop trains: the two stages, their fine-tune, the baselines, and successors."""

from .base import Batch, Logs, Task, d_terms, g_terms, grid, hold_out, spread
from .baselines import CycleGANTask, SRGANTask
from .real_lo import PseudoTask, SemiCycleTask
from .successors import FlowTask
from .two_stage import H2LTask, JointTask, L2HTask

__all__ = [
    "Batch",
    "CycleGANTask",
    "FlowTask",
    "H2LTask",
    "JointTask",
    "L2HTask",
    "Logs",
    "PseudoTask",
    "SRGANTask",
    "SemiCycleTask",
    "Task",
    "d_terms",
    "g_terms",
    "grid",
    "hold_out",
    "spread",
]
