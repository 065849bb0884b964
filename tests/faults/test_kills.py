"""A training that is killed at any file operation, half way through a write too, loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In a process of its own: it forks, and what is forked must have no threads.
SOME = """
import sys, warnings
from pathlib import Path
import torch
from tests.faults.kills import Killing
torch.set_num_threads(1)
warnings.simplefilter("ignore")
out, stage = Path(sys.argv[1]), sys.argv[2]
killing = Killing(out, (stage,))
n, marks = killing.n_operations[stage], killing.landmarks[stage]
assert n > 1000 and len(marks) > 30, (n, len(marks))
for at in (0.1, 0.5, 0.9):
    wrong = killing.kill(stage, marks[round(at * len(marks))], False, out / f"at {at}")
    assert not wrong, (stage, at, wrong)
    wrong = killing.kill(stage, round(at * n), True, out / f"half {at}")
    assert not wrong, (stage, at, wrong)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs a POSIX system")
@pytest.mark.parametrize("stage", ["h2l", "cyclegan"])
def test_killed_at_a_file_operation_then_resumed_is_the_unbroken_run(stage, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SOME, str(tmp_path), stage],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
