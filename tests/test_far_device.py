"""Every stage trains where the networks lie on another device than the CPU, and changes places."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hlgan_lib.config import STAGES
from tests.helpers import needs_far_device

ROOT = Path(__file__).resolve().parents[1]
pytestmark = needs_far_device

# In a process of its own, as torch keeps the device.
PROGRAM = """
import json, sys
from contextlib import nullcontext
from pathlib import Path
from tests.far_device import far_device
from tests.helpers import TINY, after, train

stage, out = sys.argv[1], Path(sys.argv[2])
cfg = TINY.replace(w_r1=1.0, d_aug=True, **{f"{stage}_steps": 2})
more = {}
if stage == "joint":
    for start in ("h2l", "l2h"):
        more[start] = out / start
        list(train(start, cfg, out=more[start]))

def run(name, far, **how):
    with far_device() if far else nullcontext():
        return list(train(stage, cfg, out=out / name, device=None if far else "cpu", **more, **how))

run("cpu", False)
run("leaves", True, stop=after(1)), run("leaves", False, resume=True)
run("comes", False, stop=after(1)), run("comes", True, resume=True)
for name in ("cpu", "leaves", "comes"):
    log = (out / name / "log.jsonl").read_text().splitlines()
    print(json.dumps([json.loads(line)["losses"] for line in log]))
"""


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_trains_there_as_on_the_cpu_and_goes_on_elsewhere(stage, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, stage, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    cpu, *others = (json.loads(line) for line in ran.stdout.splitlines()[-3:])
    assert len(cpu) == 2
    for log in others:  # the same but for rounding
        assert log == [pytest.approx(losses, rel=0.01, abs=0.01) for losses in cpu]
