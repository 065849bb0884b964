"""Every notebook runs where the networks lie on another device than the CPU, as on a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.helpers import needs_far_device

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
SCRIPT = ROOT / "tests" / "far_device.py"

pytestmark = needs_far_device


def failures(notebook, folder):
    env = {
        **os.environ,
        "HLGAN_PRESET": "smoke",
        "HLGAN_RESULTS": str(ROOT / "results"),
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        [sys.executable, SCRIPT, notebook], cwd=folder, env=env, capture_output=True, text=True
    )
    assert ran.returncode == bool(ran.stdout.strip()), ran.stderr
    return ran.stdout.strip().splitlines()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_on_another_device(notebook, tmp_path):
    assert failures(notebook, tmp_path) == []


PLANTED = {
    "torch.zeros(3, device=lesson.device) + torch.ones(3)": "in one operation",
    "torch.nn.Linear(2, 2)(torch.ones(1, 2, device=lesson.device))": "in one operation",
    "torch.randn(3, device=lesson.device, generator=lesson.generator())": "takes a generator",
    "torch.zeros(3, device=lesson.device).numpy()": "has no numpy()",
}


def test_planted_faults_are_found(tmp_path):
    lines = [
        "import torch, hlgan_lib as hl",
        "from hlgan_lib import notebook",
        "lesson = notebook.setup()",
    ]
    cells = ["\n".join(lines), *PLANTED, "x = torch.ones(3, device=lesson.device)\nx.sum().item()"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, tmp_path / "planted.ipynb")
    found = failures(tmp_path / "planted.ipynb", tmp_path)
    assert len(found) == len(PLANTED)
    for number, (line, words) in enumerate(zip(found, PLANTED.values()), 2):
        assert line.startswith(f"code cell {number}: ") and words in line
