"""Execute the notebooks and write what a reader wants to see.

HTML pages, figures, a summary page (`make run`).

    python tools/site/run_notebooks.py [NOTEBOOK ...] [--preset quick] [--out outputs] [--save]

Each notebook runs in a kernel of its own, with this Python, in the folder --out: runs that it
trains land in --out/runs. Without names, all of notebooks/ in order. A failing cell is shown and
makes the exit code 1; the page of that notebook is written up to there. --save (for maintainers)
also writes the outputs into the notebooks themselves.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import equations
import nbformat
import torch
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from hlgan_lib.files import user_path
from hlgan_lib.text import as_json

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"image/png": "png", "image/jpeg": "jpg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}table{border-collapse:collapse}"
    "td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ccc}"
    "figure{margin:1rem 0 2rem}figcaption{color:#444}.bad{color:#a00}"
)
# The usual page without the scripts that it would load: for widgets, formulas and diagrams. Long
# printed lines break between words, not inside them.
BREAKS = ".jp-OutputArea-output pre{word-break:normal;overflow-wrap:anywhere}"
TEMPLATE = "{% extends 'index.html.j2' %}" + "".join(
    f"{{% block html_head_js_{name} %}}{{% endblock %}}"
    for name in ("requirejs", "mathjax", "mermaidjs")
)
TEMPLATE += f"{{% block notebook_css %}}{{{{ super() }}}}<style>{BREAKS}</style>{{% endblock %}}"


@dataclass
class Report:
    """What became of one notebook.

    Minutes, its pictures as (path in --out, alt text), the error where it failed.
    """

    name: str
    title: str
    minutes: float = 0.0
    pictures: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""


# ---- running -------------------------------------------------------------------------------------
def execute(nb: nbformat.NotebookNode, label: str, folder: Path, timeout_s: int) -> str:
    """Run every cell in `folder`, with one line of progress; returns "" or what went wrong.

    Outputs stay in `nb`.
    """
    client = NotebookClient(
        nb,
        kernel_name="python3",
        timeout=timeout_s,
        startup_timeout=180,
        resources={"metadata": {"path": str(folder)}},
    )
    kernel = client.create_kernel_manager()
    # This Python, whatever a user's own kernel specification says.
    assert kernel.kernel_spec is not None
    kernel.kernel_spec.argv[0] = sys.executable
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    for i in code:
        nb.cells[i].outputs, nb.cells[i].execution_count = [], None
    # Cell by cell: Ctrl-C stays with Python, and the kernel ends with this block, its own last
    # words unheard.
    with client.setup_kernel(stderr=subprocess.DEVNULL):
        for done, i in enumerate(code, 1):
            progress(f"{label}  cell {done} of {len(code)}")
            what = f"cell {done} of {len(code)}"
            try:
                client.execute_cell(nb.cells[i], i, store_history=True)
            except CellExecutionError as error:
                return f"{what} fails: {error.ename}: {plain(error.evalue)}\n{where(nb.cells[i])}"
            except CellTimeoutError:
                return f"{what} took longer than {timeout_s} s (--timeout)\n{where(nb.cells[i])}"
            except DeadKernelError:
                return f"{what}: the kernel died (out of memory?)\n{where(nb.cells[i])}"
    return ""


def progress(text: str) -> None:
    """Rewrite the line on a terminal; say nothing where the output is a file."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def plain(text: str) -> str:
    """Without the colour codes of a traceback, on one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


def where(cell: nbformat.NotebookNode) -> str:
    return "".join(f"    | {line}\n" for line in cell.source.splitlines()[:12]).rstrip()


# ---- pages ---------------------------------------------------------------------------------------
def tidy(nb: nbformat.NotebookNode) -> None:
    """Take out what makes a stored notebook differ at every run or render as "Invalid Notebook".

    Widget views without their state, execution times, the version of this Python; a progress bar
    keeps its last line.
    """
    nb.metadata.pop("widgets", None)
    nb.metadata["language_info"] = {"name": "python"}
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
            if output.output_type == "stream":
                lines = output.text.replace("\r\n", "\n").split("\n")
                output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in lines)
        if cell.cell_type == "code":
            cell.outputs = [
                o
                for o in cell.outputs
                if o.output_type == "error" or o.get("text") or o.get("data")
            ]


def pictures(nb: nbformat.NotebookNode, name: str, out: Path) -> list[tuple[str, str]]:
    """Write the pictures to figures/NAME-NN.png.

    Those of cells tagged `headline` first, each with its alt text.
    """
    found: list[tuple[bool, str, str]] = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            kind = next((k for k in PICTURES if k in output.get("data", {})), None)
            if kind:
                path = f"figures/{name}-{len(found) + 1:02d}.{PICTURES[kind]}"
                (out / path).write_bytes(base64.b64decode(output.data[kind]))
                alt = (
                    output.metadata.get(kind, {}).get("alt", "")
                    or f"Picture {len(found) + 1} of {name}"
                )
                found.append(("headline" in cell.metadata.get("tags", []), path, alt))
    return [(path, alt) for _, path, alt in sorted(found, key=lambda f: not f[0])]


def page(nb: nbformat.NotebookNode, report: Report) -> str:
    """The notebook as one HTML file: pictures and formulas inside, nothing from other hosts."""
    from jinja2 import pass_context
    from nbconvert import HTMLExporter  # seconds to import

    class Exporter(HTMLExporter):
        @pass_context
        def markdown2html(self, context: Any, source: str) -> str:
            return equations.drawn(super().markdown2html(context, source))

    exporter = Exporter(embed_images=True, raw_template=TEMPLATE)
    exporter.log.setLevel(logging.ERROR)
    about = {"name": report.title, "path": str(ROOT / "notebooks")}
    body, _ = exporter.from_notebook_node(nb, resources={"metadata": about})
    return body


def scores(out: Path, since: float) -> list[tuple[str, dict[str, Any]]]:
    """(run, its numbers) of every scores.json below --out that was written since."""
    rows = []
    for path in sorted(out.rglob("scores.json")):
        if path.stat().st_mtime >= since:
            numbers = {
                k: v for k, v in json.loads(path.read_text()).items() if isinstance(v, float)
            }
            rows.append((path.parent.relative_to(out).as_posix(), numbers))
    return rows


def stored_results() -> str:
    """The results block of README.md, which is generated from results/, as HTML."""
    from nbconvert.filters import markdown2html

    block = re.search(
        r"<!-- results:begin -->(.+?)<!-- results:end -->",
        (ROOT / "README.md").read_text("utf-8"),
        re.S,
    )
    return (
        "<h2>Stored results</h2>" + markdown2html(re.sub(r"!\[.*?\]\(.*?\)", "", block[1]))
        if block
        else ""
    )


def address(path: str) -> str:
    """A relative path as the value of a link, whatever the names in it hold."""
    return html.escape(quote(os.fsencode(path)))


def index(reports: list[Report], runs: list[tuple[str, dict[str, Any]]], preset: str) -> str:
    """The summary page: what ran, minutes, links, the first picture of each notebook, the scores of
    the runs.
    """
    e = html.escape
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>hlgan_lib: what ran</title>",
        f"<style>{STYLE}</style>",
        f"<h1>hlgan_lib: what ran</h1><p>Preset <code>{e(preset)}</code>, "
        f"{sum(r.minutes for r in reports):.1f} minutes. What this preset trains is a "
        "lesson, not a result: "
        "the stored results are at the end.</p>",
        "<table><tr><th>Notebook<th>Minutes<th>Pictures<th>",
    ]
    for r in reports:
        state = f"<span class=bad>failed: {e(r.error.splitlines()[0])}</span>" if r.error else "ran"
        link = f"<a href='{address(f'{r.name}.html')}'>{e(r.title)}</a>"
        lines.append(f"<tr><td>{link}<td>{r.minutes:.1f}<td>{len(r.pictures)}<td>{state}")
    lines.append("</table>")
    for r in (r for r in reports if r.pictures):
        path, alt = r.pictures[0]
        lines.append(
            f"<h2><a href='{address(f'{r.name}.html')}'>{e(r.title)}</a></h2>"
            f"<figure><img src='{address(path)}' alt='{e(alt)}'>"
            f"<figcaption>{e(alt)}</figcaption></figure>"
        )
    if runs:
        lines.append("<h2>Scores of the runs trained here</h2><table><tr><th>Run<th>Scores")
        for run, numbers in runs:
            lines.append(
                f"<tr><td>{e(run)}<td>" + ", ".join(f"{e(k)} {v:.4g}" for k, v in numbers.items())
            )
        lines.append("</table>")
    return "\n".join([*lines, stored_results()]) + "\n"


# ---- the command ---------------------------------------------------------------------------------
def run_one(path: Path, out: Path, label: str, args: argparse.Namespace) -> Report:
    """Execute one notebook and write its page and pictures."""
    nb = nbformat.read(path, as_version=4)
    heading = re.search(
        r"^# (.+)$", "\n".join(c.source for c in nb.cells if c.cell_type == "markdown"), re.M
    )
    report = Report(path.stem, heading[1].strip() if heading else path.stem)
    start = time.monotonic()
    report.error = execute(nb, label, out, args.timeout)
    report.minutes = (time.monotonic() - start) / 60
    tidy(nb)
    for old in (out / "figures").glob(f"{path.stem}-*"):
        old.unlink()
    report.pictures = pictures(nb, path.stem, out)
    (out / f"{path.stem}.html").write_text(page(nb, report), encoding="utf-8")
    if args.save and not report.error:
        nbformat.write(nb, path)
    return report


def remember_minutes(reports: list[Report]) -> None:
    """Store how long each notebook took on this kind of machine.

    The notebooks' *At a glance* reads it.
    """
    path = ROOT / "results" / "timings.json"
    stored = json.loads(path.read_text()) if path.is_file() else {"notebooks": {}}
    machine = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    )
    for report in reports:
        if not report.error:
            stored["notebooks"].setdefault(report.name, {})[machine] = round(report.minutes, 1)
    path.write_text(as_json(stored, indent=1, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=user_path, help="default: all of notebooks/")
    parser.add_argument(
        "--preset", default="quick", help='what PRESET = "auto" means (default quick)'
    )
    parser.add_argument(
        "--out", type=user_path, default=Path("outputs"), help="folder for pages, figures and runs"
    )
    parser.add_argument(
        "--timeout", type=int, default=900, help="seconds that one cell may take (default 900)"
    )
    parser.add_argument(
        "--save", action="store_true", help="also store the outputs in the notebooks"
    )
    args = parser.parse_args()
    paths = args.notebooks or sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
    for path in paths:
        if not path.is_file():
            parser.error(f"{path} is not there: give the path of a notebook")
    os.environ["HLGAN_PRESET"] = args.preset
    os.environ["HLGAN_RESULTS"] = str(ROOT / "results")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    out = args.out.resolve()
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a job in the background starts with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    logging.getLogger("asyncio").setLevel(
        logging.CRITICAL
    )  # else Ctrl-C reports the cell that it interrupted
    since, reports = time.time(), []
    print(f"{len(paths)} notebooks, preset {args.preset} -> {args.out}/", flush=True)
    try:
        for n, path in enumerate(paths, 1):
            label = f"[{n}/{len(paths)}] {path.stem}"
            reports.append(run_one(path, out, label, args))
            progress("")
            print(
                f"{label}: {'FAILED' if reports[-1].error else 'ran'}, "
                f"{reports[-1].minutes:.1f} minutes, "
                f"{len(reports[-1].pictures)} pictures",
                flush=True,
            )
            if reports[-1].error:
                print(f"{path.name}: {reports[-1].error}", file=sys.stderr)
    except KeyboardInterrupt:
        progress("")
        print(
            "Stopped. Finished notebooks keep their pages; run again to go on from the first.",
            file=sys.stderr,
        )
        return 130
    finally:
        if reports:
            (out / "index.html").write_text(
                index(reports, scores(out, since), args.preset), encoding="utf-8"
            )
    if args.save:
        remember_minutes(
            [r for r, p in zip(reports, paths) if p.resolve().parent == ROOT / "notebooks"]
        )
    print(f"Open {args.out}/index.html")
    return int(any(r.error for r in reports))


if __name__ == "__main__":
    sys.exit(main())
