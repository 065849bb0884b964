"""What every notebook shares.

Its set-up, source shown from the library, live training, exercises that never stop.
"""

from __future__ import annotations

import html
import inspect
import json
import os
import platform
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .. import presets, viz
from ..config import RunConfig
from ..errors import HLError
from ..files import user_path
from ..inference import load_weights, shipped_weights
from . import hosts
from .attempts import attempt as attempt
from .attempts import verdict as verdict
from .live_training import health_line as health_line
from .live_training import live as live
from .reruns import fresh as fresh
from .reruns import step_0 as step_0
from .reruns import train as train
from .tables import table as table

if TYPE_CHECKING:
    from ..study.results import Stored


# ---- set-up --------------------------------------------------------------------------------------
def hello() -> None:
    """Print versions and device, how to switch a GPU on, and how runs last on Colab and Kaggle."""
    from .. import __version__

    print(
        f"hlgan_lib {__version__} · Python {platform.python_version()} · torch "
        f"{torch.__version__.partition('+')[0]}"
    )
    if torch.cuda.is_available():
        print(f"device: {torch.cuda.get_device_name(0)}")
    else:
        print(f"device: CPU\n{hosts.GPU_HELP[hosts.host()]}")
    if hosts.keeping():
        print(hosts.keeping())


def resolve_preset(name: str = "auto") -> str:
    """The preset meant: for "auto" HLGAN_PRESET, else "quick", on a GPU too (see docs/speed.md)."""
    if name == "auto":
        name = os.environ.get("HLGAN_PRESET") or "quick"
    presets.preset(name)  # raises HLError for an unknown one
    return name


@dataclass(frozen=True)
class Lesson:
    """What a notebook goes on with.

    The preset's name, its configuration with the seed, a device, a folder for runs.
    """

    preset: str
    cfg: RunConfig
    device: torch.device
    out: Path
    seed: int

    def generator(self, offset: int = 0) -> torch.Generator:
        """A random stream on the CPU, the same at every run.

        Another offset gives another stream.
        """
        return torch.Generator().manual_seed(self.seed + offset)


def setup(preset: str = "auto", seed: int = 0, out: str | Path = "runs") -> Lesson:
    """Fix preset, seed, figure style, device and the folder for runs, and print them.

    Args:
        preset: as in `resolve_preset`.
        seed: of everything drawn.
        out: as in `hosts.run_folder`; made where it is missing.

    Returns:
        The lesson: configuration, device, folder.

    Raises:
        HLError: for an unknown preset, and as `hosts.run_folder`.
    """
    name = resolve_preset(preset)
    cfg = presets.preset(name).replace(seed=seed)
    viz.style()
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = hosts.run_folder(out, name)
    print(
        f"preset {name}: H2L {cfg.h2l_steps} updates, L2H {cfg.l2h_steps}, batches of {cfg.batch}; "
        f"seed {seed}; device {device.type}; runs go to {folder}/"
    )
    return Lesson(name, cfg, device, folder, seed)


def weights(name: str, use_shipped: bool, fallback: str | Path) -> torch.nn.Module:
    """A trained network, shipped or of the reader's own run; prints which.

    Args:
        name: of shipped weights.
        use_shipped: take those, where they are there.
        fallback: run folder to take otherwise.

    Returns:
        The network, in eval mode.
    """
    if use_shipped and name in shipped_weights():
        print(f"{name}: the shipped weights, trained far longer than this notebook has time for")
        return load_weights(name)
    why = " (no shipped weights of that name here)" if use_shipped else ""
    print(f"{name}: the run in {fallback}{why}")
    return load_weights(fallback)


# ---- stored numbers ------------------------------------------------------------------------------
def results(name: str, *, quiet: bool = False) -> dict | None:
    """The stored numbers of results/NAME.json; or None, and a line says where they would be.

    Looked for in the folder that HLGAN_RESULTS names, in every folder above the notebook, and
    beside the package.

    Args:
        name: of the file, without its ending.
        quiet: print no line where it is missing.

    Returns:
        Its content.
    """
    place = _folder_with(name, quiet)
    return json.loads((place / f"{name}.json").read_text()) if place else None


def evidence() -> Stored | None:
    """The stored results of the grid (results/ablation.json and .npz), or None.

    Looked for as in `results`.
    """
    from ..study.results import load

    place = _folder_with("ablation")
    return load(place) if place else None


def _folder_with(name: str, quiet: bool = False) -> Path | None:
    if "HLGAN_RESULTS" in os.environ:
        places = [user_path(os.environ["HLGAN_RESULTS"])]
    else:
        above = (Path.cwd(), *Path.cwd().parents)
        places = [p / "results" for p in above if (p / "pyproject.toml").is_file()]
        places.append(Path(__file__).parents[2] / "results")
    found = next((p for p in places if (p / f"{name}.json").is_file()), None)
    if found is None and not quiet:
        print(
            f"results/{name}.json is not here: stored numbers come with a clone of the repository "
            "(or set HLGAN_RESULTS to its results folder)"
        )
    return found


def at_a_glance(notebook: str) -> None:
    """Print the measured minutes of a notebook.

    Results/timings.json, notebooks -> name -> {hardware: minutes}.
    """
    measured = (results("timings", quiet=True) or {}).get("notebooks", {}).get(notebook, {})
    if measured:
        said = "; ".join(f"{minutes:.1f} minutes on {where}" for where, minutes in measured.items())
        print(f"Run all, measured: {said}")
    else:
        print("Run all: not measured in this copy (results/timings.json holds the minutes)")


# ---- source --------------------------------------------------------------------------------------
# A colour of shown source and the name of JupyterLab's own, light or dark, that takes its place
# where there is one.
THEME = {
    "#F5F5F5": "cell-editor-background",
    "#DDDDDE": "border-color2",
    "#111112": "content-font-color1",
    "#007F00": "mirror-editor-keyword-color",
    "#BA2121": "mirror-editor-string-color",
    "#2F6868": "mirror-editor-comment-color",
    "#7A5200": "mirror-editor-number-color",
    "#1C01CE": "mirror-editor-def-color",
}


class Source:
    """Source text: highlighted in a notebook, in the theme's colours; plain elsewhere."""

    def __init__(self, text: str, where: str):
        self.text, self.where = text, where

    def __repr__(self) -> str:
        return f"# {self.where}\n{self.text}"

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
        from pygments.style import Style
        from pygments.token import Comment, Keyword, Name, Number, Operator, String

        class Few(Style):
            background_color = "transparent"
            styles = {
                Keyword: "#007F00",
                Operator.Word: "#007F00",
                String: "#BA2121",
                Comment: "#2F6868",
                Number: "#7A5200",
                Name.Function: "#1C01CE",
                Name.Class: "#1C01CE",
            }

        box = (
            "background: #F5F5F5; border: 1px solid #DDDDDE; color: #111112; font: 85% "
            "monospace; padding: 0.6em; "
            "overflow-x: auto"
        )
        code = highlight(
            self.text, PythonLexer(), HtmlFormatter(noclasses=True, style=Few, prestyles=box)
        )
        for colour, name in THEME.items():
            code = code.replace(colour, f"var(--jp-{name}, {colour})")
        return f"<div><small><code>{html.escape(self.where)}</code></small>{code}</div>"


def show_source(*what: Any) -> Source:
    """The library's own text of functions, classes or methods, highlighted.

    Nothing is pasted into a notebook. It is the last line of its cell, which shows it.

    Args:
        *what: of one file, in the order in which they are to be read.

    Returns:
        The text, with its file and names above.

    Raises:
        HLError: for what has no source.
    """
    texts, names = [], []
    for one in what:
        try:
            texts.append(textwrap.dedent(inspect.getsource(one)).rstrip() + "\n")
            file = Path(inspect.getsourcefile(one) or "")
        except (TypeError, OSError) as error:
            raise HLError(
                f"show_source needs a function, class or module, got {type(one).__name__}"
            ) from error
        names.append(getattr(one, "__qualname__", file.stem))
    above = Path(__file__).parents[2]
    where = (
        file.relative_to(above).as_posix()
        if file.is_relative_to(above)
        else f"{file.parent.name}/{file.name}"
    )
    return Source("\n".join(texts), f"{where}: {', '.join(names)}")
