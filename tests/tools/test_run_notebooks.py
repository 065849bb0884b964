"""`make run`: pages, figures and a summary from notebooks.

A failing cell is named; Ctrl-C leaves no kernel behind.
"""

import base64
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

TOOL = Path(__file__).parents[2] / "tools" / "site" / "run_notebooks.py"
_BYTES = io.BytesIO()
Image.new("L", (1, 1)).save(_BYTES, "PNG")
DOT = base64.b64encode(_BYTES.getvalue()).decode()
SHOW = f"""import os
from IPython.display import display
display({{"image/png": "{DOT}"}}, metadata={{"image/png": {{"alt": "a <grey> dot"}}}}, raw=True)
print(os.environ["HLGAN_PRESET"], "in", os.path.basename(os.getcwd()))"""


def notebook(path: Path, *cells: str) -> Path:
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# A dot\n\nand words"), *map(new_code_cell, cells)]),
        path,
    )
    return path


def command(*args) -> list[str]:
    return [sys.executable, str(TOOL), *map(str, args)]


def test_pages_figures_summary_and_the_failing_cell(tmp_path):
    good, out = notebook(tmp_path / "01_dot.ipynb", SHOW), tmp_path / "outputs"
    bad = notebook(tmp_path / "02_bad.ipynb", "x = 1", "x / 0", "open('never', 'w')")
    before = good.read_bytes(), bad.read_bytes()
    ran = subprocess.run(
        command(good, bad, "--preset", "smoke", "--out", out), capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "[1/2] 01_dot: ran" in ran.stdout and "[2/2] 02_bad: FAILED" in ran.stdout
    assert (
        "02_bad.ipynb: cell 2 of 3 fails: ZeroDivisionError" in ran.stderr
        and "| x / 0" in ran.stderr
    )
    assert not (out / "never").exists()
    assert "smoke in outputs" in (out / "01_dot.html").read_text()
    assert (out / "figures" / "01_dot-01.png").read_bytes() == base64.b64decode(DOT)
    summary = (out / "index.html").read_text()
    assert (
        "a &lt;grey&gt; dot" in summary
        and "href='01_dot.html'" in summary
        and "failed: cell 2 of 3" in summary
    )
    assert (good.read_bytes(), bad.read_bytes()) == before


def test_save_stores_tidy_outputs(tmp_path):
    path = notebook(
        tmp_path / "01_dot.ipynb", "print('1%\\r100%')\nimport ipywidgets; ipywidgets.IntSlider()"
    )
    timings = TOOL.parents[2] / "results" / "timings.json"
    before = timings.read_bytes()
    ran = subprocess.run(
        command(path, "--out", tmp_path / "o", "--save"), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    stored = nbformat.read(path, 4)
    assert [o.get("text") or sorted(o["data"]) for o in stored.cells[1].outputs] == [
        "100%\n",
        ["text/plain"],
    ]
    assert (
        dict(stored.metadata) == {"language_info": {"name": "python"}}
        and dict(stored.cells[1].metadata) == {}
    )
    assert timings.read_bytes() == before  # minutes are kept of the course's own notebooks only


def test_stopping_leaves_no_kernel(tmp_path):
    processes, signals = [], (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        said = tmp_path / f"pid-{number:d}"
        cell = f"import os, time; open({str(said)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
        path = notebook(tmp_path / f"{number:d}.ipynb", cell)
        processes.append(
            subprocess.Popen(
                command(path, "--out", tmp_path / "out"), stderr=subprocess.PIPE, text=True
            )
        )
    for number, process in zip(signals, processes):
        said, deadline = tmp_path / f"pid-{number:d}", time.monotonic() + 120
        while not (said.exists() and said.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
    for number, process in zip(signals, processes):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Stopped." in stderr and "Traceback" not in stderr
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / f"pid-{number:d}").read_text()), 0)
