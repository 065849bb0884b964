"""What every notebook shares: its set-up, source shown from the library, live training, exercises that never stop."""

from __future__ import annotations

import html
import inspect
import json
import os
import platform
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from . import config, viz
from .apply import load_weights, shipped_weights
from .config import RunConfig
from .console import stop_signals
from .errors import HLError
from .training import Tick

if TYPE_CHECKING:
    from .evidence import Stored

T = TypeVar("T")
GPU_HELP = ("No GPU is on, which is fine: these lessons fit a CPU. To switch one on:\n"
            "  Colab: Runtime > Change runtime type > T4 GPU · Kaggle: Settings > Accelerator > GPU\n"
            "  your own machine: a PyTorch build with CUDA")
REDRAW_S = 2.0  # a redrawn figure costs about 0.3 s of training time


# ---- set-up ----------------------------------------------------------------------------------------------------------
def in_kernel() -> bool:
    """Is this code run by a Jupyter kernel, so that pictures can be displayed?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def front_end() -> bool:
    """Is a person watching: JupyterLab, VS Code, Colab or Kaggle, and not a script that executes the notebook?"""
    if not in_kernel():
        return False
    shell = sys.modules["IPython"].get_ipython()
    return ("JPY_SESSION_NAME" in os.environ or "__vsc_ipynb_file__" in shell.user_ns or "google.colab" in sys.modules
            or os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive")


def hello() -> None:
    """Print versions and device, and how to switch a GPU on where there is none."""
    from . import __version__

    print(f"hlgan_lib {__version__} · Python {platform.python_version()} · torch {torch.__version__.partition('+')[0]}")
    if torch.cuda.is_available():
        print(f"device: {torch.cuda.get_device_name(0)}")
    else:
        print(f"device: CPU\n{GPU_HELP}")


def resolve_preset(name: str = "auto") -> str:
    """`name`; for "auto" the variable HLGAN_PRESET, or else "colab" with a CUDA GPU and "quick" without."""
    if name == "auto":
        name = os.environ.get("HLGAN_PRESET") or ("colab" if torch.cuda.is_available() else "quick")
    config.preset(name)  # raises HLError for an unknown one
    return name


@dataclass(frozen=True)
class Lesson:
    """What a notebook goes on with: the preset's name, its configuration with the seed, a device, a folder for runs."""

    preset: str
    cfg: RunConfig
    device: torch.device
    out: Path
    seed: int

    def generator(self, offset: int = 0) -> torch.Generator:
        """A random stream on the CPU, the same at every run; another offset gives another stream."""
        return torch.Generator().manual_seed(self.seed + offset)


def setup(preset: str = "auto", seed: int = 0, out: str | Path = "runs") -> Lesson:
    """Fix preset, seed, figure style, device and the folder for runs (made where it is missing), and print them.

    preset as in `resolve_preset`. Raises HLError for an unknown preset.
    """
    name = resolve_preset(preset)
    cfg = config.preset(name).replace(seed=seed)
    viz.style()
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    Path(out).mkdir(parents=True, exist_ok=True)
    print(f"preset {name}: H2L {cfg.h2l_steps} updates, L2H {cfg.l2h_steps}, batches of {cfg.batch}; "
          f"seed {seed}; device {device.type}; runs go to {out}/")
    return Lesson(name, cfg, device, Path(out), seed)


def fresh(folder: str | Path) -> Path:
    """A folder for a run that starts anew: the run that an earlier *Run all* left there is removed.

    Raises HLError where the folder holds something that is no run.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / "config.json").is_file():
            raise HLError(f"{folder} holds other files than a run: choose another folder for OUT")
        shutil.rmtree(folder)
    return folder


def weights(name: str, use_shipped: bool, fallback: str | Path) -> torch.nn.Module:
    """The shipped network of that name where it is wanted and there, else that of the run `fallback`; says which."""
    if use_shipped and name in shipped_weights():
        print(f"{name}: the shipped weights, trained far longer than this notebook has time for")
        return load_weights(name)
    print(f"{name}: the run in {fallback}" + (" (no shipped weights of that name here)" if use_shipped else ""))
    return load_weights(fallback)


# ---- stored numbers --------------------------------------------------------------------------------------------------
def results(name: str, *, quiet: bool = False) -> dict | None:
    """The stored numbers of results/NAME.json in a clone of the repository, or None, with a word where they would be.

    Looked for in the folder that HLGAN_RESULTS names, in every folder above the notebook, and beside the package.
    """
    place = _folder_with(name, quiet)
    return json.loads((place / f"{name}.json").read_text()) if place else None


def evidence() -> Stored | None:
    """The stored results of the grid (results/ablation.json and .npz), or None; looked for as in `results`."""
    from .evidence import load

    place = _folder_with("ablation")
    return load(place) if place else None


def _folder_with(name: str, quiet: bool = False) -> Path | None:
    places = [Path(os.environ["HLGAN_RESULTS"])] if "HLGAN_RESULTS" in os.environ else [
        *(p / "results" for p in (Path.cwd(), *Path.cwd().parents) if (p / "pyproject.toml").is_file()),
        Path(__file__).parent.parent / "results"]
    found = next((p for p in places if (p / f"{name}.json").is_file()), None)
    if found is None and not quiet:
        print(f"results/{name}.json is not here: stored numbers come with a clone of the repository "
              "(or set HLGAN_RESULTS to its results folder)")
    return found


def at_a_glance(notebook: str) -> None:
    """Print the measured minutes of a notebook: results/timings.json, notebooks -> name -> {hardware: minutes}."""
    measured = (results("timings", quiet=True) or {}).get("notebooks", {}).get(notebook, {})
    if measured:
        said = "; ".join(f"{minutes:.1f} minutes on {where}" for where, minutes in measured.items())
        print(f"Run all, measured: {said}")
    else:
        print("Run all: not measured in this copy (results/timings.json holds the minutes)")


# ---- source ----------------------------------------------------------------------------------------------------------
class Source:
    """Source text that displays highlighted in a notebook and plain elsewhere."""

    def __init__(self, text: str, where: str):
        self.text, self.where = text, where

    def __repr__(self) -> str:
        return f"# {self.where}\n{self.text}"

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        formatter = HtmlFormatter(noclasses=True, style="xcode", prestyles="font: 85% monospace; padding: 0.6em; "
                                  "overflow-x: auto; color: #000")
        code = highlight(self.text, PythonLexer(), formatter)
        return f"<div><small><code>{html.escape(self.where)}</code></small>{code}</div>"


def show_source(what: Any) -> Source:
    """The library's own text of a function, class or method, highlighted: nothing is pasted into a notebook."""
    try:
        text, file = textwrap.dedent(inspect.getsource(what)), Path(inspect.getsourcefile(what))
    except (TypeError, OSError) as error:
        raise HLError(f"show_source needs a function, class or module, got {type(what).__name__}") from error
    return Source(text.rstrip() + "\n", f"{file.parent.name}/{file.name}: {getattr(what, '__qualname__', file.stem)}")


# ---- exercises -------------------------------------------------------------------------------------------------------
def attempt(mine: T | None, reference: T, check: Callable[[T], Any]) -> T:
    """Check an exercise and go on with what works: `mine` where it passes, else `reference`; never raises.

    mine is None, ... or raises NotImplementedError: "not tried yet". check(mine) passes by returning None or True; it
    fails by returning a hint (text) or False, or by raising. Prints one line.
    """
    untried = "Not tried yet: going on with the reference."
    if mine is None or mine is ...:
        print(untried)
        return reference
    try:
        said = check(mine)
    except NotImplementedError:
        print(untried)
        return reference
    except AssertionError as error:
        said = next(iter(str(error).splitlines()), False)
    except Exception as error:  # whatever a learner's line raises is a hint, not the end of Run all
        said = f"it stops with {type(error).__name__}: {error}"
    if said is None or said is True:
        print("Passed: going on with yours.")
        return mine
    hint = said if isinstance(said, str) else "the result differs from what the reference gives."
    print(f"Not yet: {hint} Going on with the reference.")
    return reference


# ---- live training ---------------------------------------------------------------------------------------------------
def live(ticks: Iterable[Tick], title: str = "training", rows: Sequence[str] = ()) -> list[Tick]:
    """Run a training to its end and return its ticks; curves, samples and health are drawn while it runs.

    rows: names of the rows of the sample grid. With nobody watching the figures are drawn once, at the end; outside a
    notebook there is a progress bar. The stop button, or interrupting the kernel, ends it after the next tick and
    returns what there is; a training with a run folder saves itself there first.
    """
    history: list[Tick] = []
    panel = _Panel(title, rows) if in_kernel() else _Bar(title)
    watched, drawn = front_end(), 0.0
    with stop_signals() as interrupted, _stop_button(watched):
        try:
            for tick in ticks:
                history.append(tick)
                if not isinstance(panel, _Panel) or watched and time.monotonic() - drawn > REDRAW_S:
                    panel.draw(history)
                    drawn = time.monotonic()
                if interrupted():
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            getattr(ticks, "close", lambda: None)()     # a training saves when its iterator is closed
            print(f"Stopped after {len(history)} ticks; going on with what there is.")
    if not history:
        raise HLError("the training gave no ticks: is the run in --out already finished? Choose another folder")
    panel.close(history)
    return history


@contextmanager
def _stop_button(watched: bool) -> Iterator[None]:
    """A button that interrupts this kernel, where a person is watching; it goes with the training.

    A click cannot be heard by Python while it trains, so the button asks the server.
    """
    if not watched:
        yield
        return
    from ipykernel.kernelapp import IPKernelApp
    from IPython.display import display

    from .browser import StopButton

    file = IPKernelApp.instance().connection_file if IPKernelApp.initialized() else ""
    button = StopButton(kernel=Path(file).stem.removeprefix("kernel-"))
    display(button)
    try:
        yield
    finally:
        button.close()


def health_line(history: Sequence[Tick]) -> str:
    """The last tick's diagnoses in one line."""
    return "health: " + ("; ".join(history[-1].health) or "nothing unusual")


class _Bar:
    """tqdm: images seen, images/s, time left, losses."""

    def __init__(self, title: str):
        from tqdm import tqdm

        self.bar = tqdm(desc=title, unit="img")

    def draw(self, history: Sequence[Tick]) -> None:
        tick = history[-1]
        self.bar.total = tick.steps * (tick.images // tick.step)
        self.bar.set_postfix({k: f"{tick.losses[k]:.3f}" for k in ("pix", "gan", "d_loss") if k in tick.losses},
                             refresh=False)
        self.bar.update(tick.images - self.bar.n)

    def close(self, history: Sequence[Tick]) -> None:
        self.bar.close()
        print(health_line(history))


class _Panel:
    """Curves and newest samples in place; at the end without any times, so that the stored figure repeats."""

    def __init__(self, title: str, rows: Sequence[str]):
        self.title, self.rows, self.curves, self.samples, self.shown = title, rows, None, None, -1

    def draw(self, history: Sequence[Tick], final: bool = False) -> None:
        tick = history[-1]
        so_far = "" if final else f" · {tick.rate:.0f} images/s, {tick.left_s:.0f} s left"
        title = f"{self.title} · {tick.images:,} images{so_far}\n" + textwrap.fill(health_line(history), 120)
        figure = viz.training_curves(history, title=title)
        self.curves = viz.show(figure, handle=self.curves)
        taken = next((t for t in reversed(history) if t.samples is not None), None)
        if taken and taken.images != self.shown:
            self.samples, self.shown = viz.show(self._samples(taken), handle=self.samples), taken.images

    def _samples(self, tick: Tick) -> viz.Figure:
        n_rows = (tick.samples.shape[1] - 2) // 66
        names = [*self.rows, *(f"row {i + 1}" for i in range(len(self.rows), n_rows))][:n_rows]
        rows = {name: viz.sample_row(tick.samples, i, n=6) for i, name in enumerate(names)}
        return viz.grid_of_shown(rows, f"samples after {tick.images:,} images",
                                 f"Sample grid of {self.title} after {tick.images} images; rows: {', '.join(names)}.")

    def close(self, history: Sequence[Tick]) -> None:
        self.draw(history, final=True)
