"""Run folders: atomic saves, exact resume, the weights of a finished run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from . import config
from .config import RunConfig
from .errors import HLError
from .files import REASONS, atomic, out_folder, save_json, save_png


class OtherRun(HLError):
    """The folder holds another run than the one to go on with: stage, settings or data differ."""


# ---- checkpoints ---------------------------------------------------------------------------------
def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write everything needed to go on, atomically.

    Args:
        path: the file.
        state: nested dictionaries of tensors and plain values.

    Raises:
        HLError: where it cannot be written.
    """
    atomic(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU without unpickling code.

    Raises:
        HLError: where it is missing or damaged.
    """
    if not Path(path).is_file():
        raise HLError(f"no checkpoint at {path}: start the run without --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file raises whatever the zip reader or the unpickler meets first.
    except Exception as error:
        raise HLError(
            f"checkpoint {path} cannot be read ({type(error).__name__}): go on from another one, "
            "such as best.pt renamed to last.pt, or start anew"
        ) from error


# ---- weights -------------------------------------------------------------------------------------
def save_weights(
    path: Path,
    state: dict[str, Tensor],
    stage: str,
    cfg: RunConfig,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write a generator's weights as safetensors, atomically.

    Args:
        path: the file.
        state: the network's state.
        stage: "h2l", "l2h", "srgan" or "cyclegan"; goes into the metadata.
        cfg: the configuration it was trained with; goes into the metadata.
        extra: further notes for the metadata.

    Raises:
        HLError: where it cannot be written.
    """
    metadata = {"stage": stage, "config": json.dumps(cfg.as_dict())}
    metadata |= {k: str(v) for k, v in (extra or {}).items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    data = safetensors_bytes(tensors, metadata=metadata)
    atomic(path, lambda file: file.write(data))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State and metadata of a safetensors file.

    Raises:
        HLError: where it is damaged or not one of this package's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise HLError(
            f"weights {path} cannot be read ({error}): is it a whole .safetensors file?"
        ) from error
    if not {"stage", "config"} <= set(metadata):
        raise HLError(
            f"weights {path} carry no stage and configuration: they were not written by this "
            "package"
        )
    return state, metadata


def stored_config(metadata: dict[str, str]) -> RunConfig:
    """The configuration that a weights file was trained with."""
    return config.from_dict(json.loads(metadata["config"]), metadata["stage"])


# ---- run folders ---------------------------------------------------------------------------------
class RunFolder:
    """The folder of one training, finished or not.

    Attributes:
        path: the folder.
        config: config.json, what the run is of.
        log: log.jsonl, a line a tick.
        samples: folder of samples/STEP.png.
        last: the checkpoint to go on from.
        best: the checkpoint of the lowest validation score.
        weights: the generator; there when the run is finished.
        scores: scores.json; there when the run is finished.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.log = self.path / "log.jsonl"
        self.samples = self.path / "samples"
        self.last = self.path / "checkpoints" / "last.pt"
        self.best = self.path / "checkpoints" / "best.pt"
        self.weights = self.path / "weights.safetensors"
        self.scores = self.path / "scores.json"

    @property
    def finished(self) -> bool:
        """Are weights and scores there?"""
        return self.scores.is_file() and self.weights.is_file()

    def start(self, about: dict[str, Any], resume: bool) -> None:
        """Make the folder, or check that the run in it is the one to go on with.

        Args:
            about: what the run is of: stage, config, and the names of its sources.
            resume: may the folder hold this run already?

        Raises:
            OtherRun: where it holds a run of something else.
            HLError: where it holds a run and `resume` is false, or other files.
        """
        out_folder(self.path)
        if not self.config.is_file():
            # Hidden files are left by a run that was killed while its config.json was written.
            if self.path.is_dir() and any(not p.name.startswith(".") for p in self.path.iterdir()):
                raise HLError(f"--out {self.path} holds other files: choose an empty or new folder")
            save_json(self.config, about)
            return
        if not resume:
            raise HLError(
                f"--out {self.path} already holds a run: add --resume to go on, or choose another "
                "folder"
            )
        differing = _differing(json.loads(self.config.read_text()), about)
        if differing:
            raise OtherRun(
                f"--resume: {self.path} was started with another {', '.join(differing)}: use the "
                "same flags, or another --out"
            )

    def cut_back(self, step: int) -> None:
        """Drop log lines and samples later than the checkpoint that training goes on from."""
        if self.log.is_file():
            kept = ""
            for line in self.log.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:  # the last line of a killed run
                    break
                if entry["step"] <= step:
                    kept += line + "\n"
            atomic(self.log, lambda file: file.write(kept.encode()))
        for sample in self.samples.glob("*.png"):
            if int(sample.stem) > step:
                sample.unlink()

    def save_sample(self, step: int, picture: Tensor) -> None:
        """Write samples/STEP.png, picture uint8 (3, H, W)."""
        save_png(self.samples / f"{step:07d}.png", picture)

    def append_log(self, entry: dict[str, Any]) -> None:
        """Add a line to log.jsonl.

        Raises:
            HLError: where it cannot be written.
        """
        try:
            with open(self.log, "a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            reason = REASONS.get(error.errno or 0, error)
            raise HLError(f"cannot write {self.log}: {reason}") from error


def _differing(stored: dict[str, Any], about: dict[str, Any]) -> list[str]:
    """Names of fields and sources in which a stored run differs from `about`."""
    usual = RunConfig().as_dict()  # of fields that are younger than the run
    differing = []
    for name, value in about["config"].items():
        if stored["config"].get(name, usual.get(name)) != value:
            differing.append(name)
    for name, value in about.items():
        if name != "config" and stored.get(name) != value:
            differing.append(name)
    return differing + config.gone(stored["config"], about["stage"])
