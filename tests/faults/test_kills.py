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
n = killing.n_operations[stage]
assert n > 40, n
for i, at in enumerate((0.02, 0.35, 0.6, 0.85, 1.0)):
    wrong = killing.kill(stage, max(1, round(at * n)), i % 2 == 1, out / str(i))
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
