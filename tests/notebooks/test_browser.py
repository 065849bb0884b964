"""The notebooks in a real browser.

JupyterLab on loopback, headless Chromium, all cells run, a slider dragged.

Screenshots in the light and the dark theme stay in .scratch/screenshots, for people to look at.
"""

import io
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlgan_lib.notebook.attempts import PASSED, UNTRIED

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make install")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: sudo apt install chromium"),
]

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / ".scratch" / "screenshots"
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
COPIES = sorted((ROOT / "notebooks" / "student").glob("0[0-5]*.ipynb"))  # the road 00 to 05b
STUDENT = "student_"  # in front of the name of a copy with blanks, in the one folder of the server
BLANK = re.compile(r"raise NotImplementedError  # your|= \.\.\.  # your")
HANDLES = ".widget-slider .noUi-handle, .jp-OutputArea input[type=range]"
WIDTH, HEIGHT = 1200, 1400
PATIENCE_S = 600  # for all cells of a notebook, on a machine that is busy
# anywidget says so where a widget's code takes more than two seconds to come: a busy machine. That
# each widget comes and works is tested by its own test.
LATE = "[anywidget] Failed to initialize model."
SETTINGS = {
    "notebook-extension/tracker": {
        "windowingMode": "none"
    },  # every cell is in the page, seen or not
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}


# ---- JupyterLab and the browser ------------------------------------------------------------------
@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """(address with a place for a path, folder of notebooks without outputs) of a server with
    nobody's own settings.
    """
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    for prefix, path in [("", p) for p in LESSONS] + [(STUDENT, p) for p in COPIES]:
        nb = json.loads(path.read_text())
        for cell in (c for c in nb["cells"] if c["cell_type"] == "code"):
            cell |= {"outputs": [], "execution_count": None}
        (folder / f"{prefix}{path.name}").write_text(json.dumps(nb))
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    env = (
        os.environ
        | {k: str(home / v) for k, v in own.items()}
        | {
            "HLGAN_PRESET": "smoke",
            "HLGAN_RESULTS": str(ROOT / "results"),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "JUPYTER_TOKEN": token,
            "JUPYTER_PREFER_ENV_PATH": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
    )
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly",
    ]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(
            command, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_server(f"http://127.0.0.1:{port}/api?token={token}", server, home / "log")
        yield f"http://127.0.0.1:{port}/doc/tree/{{}}?token={token}", folder
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for_server(url, server, log):
    end = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        try:
            chromium = p.chromium.launch(executable_path=CHROMIUM)
        except playwright.Error as error:
            pytest.skip(f"{CHROMIUM} does not start here: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


# ---- what a reader does --------------------------------------------------------------------------
def choose(page, *menu):
    """Open a menu and click through its items."""
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu[0]}$")).click()
    for name in menu[1:]:
        item = page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{name}$"))
        item.hover()
    item.click()


def saved(page, path):
    """The notebook as JupyterLab writes it."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    end = time.monotonic() + 60
    while path.stat().st_mtime_ns == before and time.monotonic() < end:
        page.wait_for_timeout(200)
    page.wait_for_timeout(200)
    return json.loads(path.read_text())


def drag(page, handle):
    """Pull a slider to the end that is farther away."""
    handle.scroll_into_view_if_needed()
    knob = handle.bounding_box()
    if handle.evaluate("e => e.tagName") == "INPUT":
        track, share = knob, handle.evaluate("e => (e.value - e.min) / (e.max - e.min)")
        x = knob["x"] + 8 + share * (knob["width"] - 16)
    else:
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
        x = knob["x"] + knob["width"] / 2
        share = (x - track["x"]) / track["width"]
    y = knob["y"] + knob["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(track["x"] + (0.98 if share < 0.5 else 0.02) * track["width"], y, steps=8)
    page.mouse.up()


def looks(cell):
    """The pictures of a cell as they are on the screen."""
    boxes = cell.evaluate("""cell => [...cell.querySelectorAll("img, canvas")].map(picture => {
        const [a, b] = [picture.getBoundingClientRect(), cell.getBoundingClientRect()];
        return [a.left - b.left, a.top - b.top, a.right - b.left, a.bottom - b.top].map(Math.round);
    })""")
    shot = Image.open(io.BytesIO(cell.screenshot())).convert("RGB")
    return [
        np.asarray(shot.crop(box), dtype=float)
        for box in boxes
        if box[2] > box[0] and box[3] > box[1]
    ]


def changed(before, after):
    """Largest share of a picture's pixels that differ to the eye."""
    if [p.shape for p in before] != [p.shape for p in after]:
        return 1.0
    return max(
        (np.mean(np.abs(a - b).max(-1) > 12) for a, b in zip(before, after, strict=True)),
        default=0.0,
    )


def photograph(page, name):
    """The whole notebook in pieces of a window's height."""
    pane = page.locator(".jp-WindowedPanel-outer").first
    height = pane.evaluate("e => e.scrollHeight")
    step = pane.evaluate("e => e.clientHeight")
    for i in range(-(-height // step)):
        pane.evaluate("(e, y) => e.scrollTo(0, y)", i * step)
        page.wait_for_timeout(100)
        page.screenshot(path=PICTURES / f"{name}-{i + 1:02d}.png")


def opened(browser, address, path):
    """A page in which all cells of a notebook have been told to run, and what went wrong in the
    page itself.
    """
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(120_000)
    wrong = []
    page.on("pageerror", lambda error: LATE in str(error) or wrong.append(str(error)))
    page.goto(address.format(path.name))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page, address, path)
    run_all(page)
    return page, wrong


def wait_for_kernel(page, address, path):
    """Until the server has an idle kernel for the notebook and the page knows it.

    Before, JupyterLab asks for one.
    """
    sessions = address.format("").replace("/doc/tree/", "/api/sessions")
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        kernels = [s["kernel"] for s in page.request.get(sessions).json() if s["path"] == path.name]
        if kernels and kernels[0]["execution_state"] == "idle" and kernels[0]["connections"]:
            break
        page.wait_for_timeout(500)
    page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')


def run_all(page):
    """Ask for it until it begins: what is asked while the kernel still connects can be lost."""
    for _ in range(6):
        choose(page, "Run", "Run All Cells")
        try:
            return page.wait_for_function(
                """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
                .some(e => /[*\\d]/.test(e.textContent))""",
                timeout=20_000,
                polling=500,
            )
        except playwright.TimeoutError:
            continue
    pytest.fail("JupyterLab ran no cell, asked six times")


def check_cells(page, path):
    """All cells ran, in order, and none failed, on the screen and in the file that JupyterLab
    writes.
    """
    page.wait_for_function(
        """() => {
        const prompts = document.querySelectorAll('.jp-CodeCell .jp-InputPrompt');
        const said = [...prompts].map(e => e.textContent);
        const error = document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
        return error || said.every(text => /\\d/.test(text));
    }""",
        timeout=1000 * PATIENCE_S,
        polling=500,
    )
    cells = [c for c in saved(page, path)["cells"] if c["cell_type"] == "code"]
    errors = [
        f"{o['ename']}: {o['evalue']}"
        for c in cells
        for o in c["outputs"]
        if o["output_type"] == "error"
    ]
    assert not errors, f"{path.name}: {errors}"
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1)), path.name


def fill_in(page, cell, source):
    """Type an answer into a code cell in place of what it holds, and run it."""
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(source)
    page.keyboard.press("Control+Enter")


def check_sliders(page, name):
    """In each cell that has sliders, the first and the last of them change what a picture of that
    cell looks like.
    """
    page.locator(HANDLES).first.wait_for()
    for i, cell in enumerate(page.locator(".jp-CodeCell", has=page.locator(HANDLES)).all(), 1):
        handles = cell.locator(HANDLES)
        for handle in (handles.first, handles.last):
            before = looks(cell)
            drag(page, handle)
            end = time.monotonic() + 60
            while (share := changed(before, looks(cell))) < 0.01 and time.monotonic() < end:
                page.wait_for_timeout(100)
            source = cell.locator(".jp-InputArea").inner_text()[:200]
            assert before and share >= 0.01, (
                f"{name}: a slider changes {share:.1%} of a picture, below: {source}"
            )
        cell.screenshot(path=PICTURES / f"{name}-slider-{i}.png")


def test_all_cells_run_and_sliders_change_the_picture(lab, browser):
    address, folder = lab
    paths = [folder / "03_degradation_visualization.ipynb", folder / "05_evaluation.ipynb"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("0[35]-*.png"):
        old.unlink()
    pages = [opened(browser, address, path) for path in paths]  # two kernels side by side
    for path, (page, wrong) in zip(paths, pages, strict=True):
        name = path.name[:2]
        try:
            check_cells(page, path)
            check_sliders(page, name)
            for theme, light in ("Light", "true"), ("Dark", "false"):
                choose(page, "Settings", "Theme", f"JupyterLab {theme}")
                page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
                photograph(page, f"{name}-{theme.lower()}")
            assert not wrong, f"{path.name}: {wrong}"
        except Exception:
            page.screenshot(path=PICTURES / f"{name}-failed.png", timeout=30_000)
            raise
        page.close()


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.name.split("_")[0])
def test_a_student_runs_a_lesson_with_blanks_and_fills_in_the_first(lab, browser, path):
    address, folder = lab
    copy = folder / f"{STUDENT}{path.name}"
    page, wrong = opened(browser, address, copy)
    check_cells(page, copy)
    said = page.locator(".jp-OutputArea-output").all_inner_texts()
    cells = json.loads(path.read_text())["cells"]
    blanks = [i for i, c in enumerate(cells) if BLANK.search("".join(c["source"]))]
    assert sum(UNTRIED in text for text in said) >= min(1, len(blanks))

    if blanks:
        solved = json.loads((path.parents[1] / path.name).read_text())["cells"]
        answers = [c for c in solved if "solution" in c["metadata"].get("tags", [])]
        cell = page.locator(".jp-Notebook .jp-Cell").nth(blanks[0])
        fill_in(page, cell, "".join(answers[0]["source"]))
        cell.locator(".jp-OutputArea-output", has_text=PASSED).first.wait_for()
    assert not wrong, f"{path.name}: {wrong}"
    page.close()
