"""Where a notebook runs (Colab, Kaggle, a machine of one's own) and what that changes.

The GPU, and runs that last.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import HLError
from ..files import user_path

DRIVE = Path("/content/drive")  # where Colab shows a reader's Drive once it is mounted
GPU_HELP = {
    "colab": "No GPU is on. To switch one on: Runtime > Change runtime type > T4 GPU, then "
    "Run all again",
    "kaggle": "No GPU is on. To switch one on: Settings > Accelerator > GPU T4 x2, then Run "
    "all again",
    "local": "No GPU is on, which is fine: these lessons fit a CPU. To switch one on:\n"
    "  Colab: Runtime > Change runtime type > T4 GPU · Kaggle: Settings > Accelerator > GPU T4 x2\n"
    "  your own machine: a PyTorch build with CUDA",
}


def host() -> str:
    """Where this runs: "colab", "kaggle" or "local"."""
    if "google.colab" in sys.modules:  # Colab's own kernel has it from the start
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "local"


def in_kernel() -> bool:
    """Is this code run by a Jupyter kernel, so that pictures can be displayed?"""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def front_end() -> bool:
    """Is a person watching.

    JupyterLab, VS Code, Colab or Kaggle, and not a script that executes the notebook?
    """
    if not in_kernel():
        return False
    shell = sys.modules["IPython"].get_ipython()
    return (
        "JPY_SESSION_NAME" in os.environ
        or "__vsc_ipynb_file__" in shell.user_ns
        or host() == "colab"
        or os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive"
    )


def custom_widgets() -> None:
    """Colab shows other widgets than those of ipywidgets only when asked to."""
    if host() == "colab":
        from google.colab import output

        output.enable_custom_widget_manager()


def keeping() -> str:
    """How runs outlive a session here, in one line; empty on a machine that forgets nothing."""
    return {
        "colab": "Colab forgets files when it disconnects. To keep runs, and to go on with one "
        "that was cut off: "
        f'OUT = "{DRIVE / "MyDrive" / "hlgan"}" in the next cell (it asks for your Drive)',
        "kaggle": "Kaggle forgets files between sessions. To keep runs, and to go on with one "
        "that was cut off: "
        "Settings > Persistence > Files only",
        "local": "",
    }[host()]


def run_folder(out: str | Path, preset: str) -> Path:
    """The folder for runs, made where it is missing: `out`; on Colab and Kaggle `out`/`preset`.

    There a session may come back without its GPU, and so with a smaller preset, whose runs must not
    take the place of those that were cut off. On Colab a folder on Drive mounts Drive first, which
    asks.

    Args:
        out: what the notebook was given.
        preset: name of the preset.

    Returns:
        The folder.

    Raises:
        HLError: where Drive is not given, or the folder cannot be made.
    """
    here, folder = host(), user_path(out)
    if here == "colab" and folder.is_relative_to(DRIVE):
        from google.colab import drive

        try:
            drive.mount(str(DRIVE))
        except (
            Exception
        ) as error:  # a refusal is a ValueError or an error of Colab's own, by version
            raise HLError(
                f"OUT {out} is on Drive, which was not mounted ({error}): allow it, or set OUT "
                '= "runs", '
                "which is lost when Colab disconnects"
            ) from error
    folder = folder if here == "local" else folder / preset
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HLError(
            f"OUT must be a folder that can be made here, got {out} ({error.strerror}): "
            "choose another, such "
            'as "runs"'
        ) from error
    return folder
