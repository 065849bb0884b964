"""Standard input, output and error closed, in every combination: the work is the same."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import LO

ROOT = Path(__file__).parents[2]
CLOSED = {"input": "<&-", "output": ">&-", "error": "2>&-"}
COMBINATIONS = [
    tuple(name for name, closed in zip(CLOSED, combination, strict=True) if closed)
    for combination in product((False, True), repeat=3)
]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="closes streams as a POSIX shell does")


def hlgan(argv, closed):
    """The command line with some of its streams closed: (exit code, output, error)."""
    shell = f'exec "$@" {" ".join(CLOSED[name] for name in closed)}'
    command = ["sh", "-c", shell, "sh", sys.executable, "-m", "hlgan_lib", *map(str, argv)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("closed", COMBINATIONS, ids="+".join)
def test_a_command_that_writes_makes_the_same_file(closed, tmp_path):
    (tmp_path / "in").mkdir()
    for i, image in enumerate(LO.images[:3]):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "in" / f"{i}.png")
    argv = ["prepare", "folder", "in", "--size", "8", "--role", "lo", "--workers", "0"]
    here = os.getcwd()
    os.chdir(tmp_path)  # so that the file says the same of where it came from
    try:
        made = {}
        for streams in ((), closed):
            code, out, err = hlgan([*argv, "--out", "a.npz"], streams)
            assert code == 0 and "Traceback" not in err, err
            assert ("wrote a.npz" in out) == ("output" not in streams)
            made[streams] = (tmp_path / "a.npz").read_bytes()
    finally:
        os.chdir(here)
    assert made[closed] == made[()]


@pytest.mark.parametrize("closed", COMBINATIONS[1:], ids="+".join)
def test_a_mistake_is_still_exit_code_2_and_one_line_where_somebody_listens(closed, tmp_path):
    code, out, err = hlgan(["prepare", "folder", tmp_path / "no", "--out", "a.npz"], closed)
    assert code == 2 and out == ""
    if "error" in closed:
        assert err == ""
    else:
        assert err.count("\n") == 1 and "must be a folder, or a .zip or .tar" in err
