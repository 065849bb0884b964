"""Run folders: atomic saves, exact resume, the weights of a finished run."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from . import config
from .config import RunConfig
from .errors import HLError
from .files import REASONS, atomic, out_folder, save_json, save_png


class OtherRun(HLError):
    """The folder holds a run of another stage, other settings or other pictures than the one to go on with."""


def save_checkpoint(path: Path, state: dict) -> None:
    """Write everything needed to go on (nested dicts of tensors and plain values), atomically."""
    atomic(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path) -> dict:
    """Read a checkpoint on the CPU without unpickling code. Raises HLError when it is missing or damaged."""
    if not Path(path).is_file():
        raise HLError(f"no checkpoint at {path}: start the run without --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # a damaged file raises whatever the zip reader or unpickler meets first
        raise HLError(
            f"checkpoint {path} cannot be read ({type(error).__name__}): go on from another one, such as "
            f"best.pt renamed to last.pt, or start anew"
        ) from error


def save_weights(
    path: Path, state: dict[str, Tensor], stage: str, cfg: RunConfig, extra: dict | None = None
) -> None:
    """Write a generator's weights as safetensors with the stage and the configuration in the metadata."""
    metadata = {
        "stage": stage,
        "config": json.dumps(cfg.as_dict()),
        **{k: str(v) for k, v in (extra or {}).items()},
    }
    data = safetensors_bytes(
        {k: v.detach().cpu().contiguous() for k, v in state.items()}, metadata=metadata
    )
    atomic(path, lambda file: file.write(data))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State and metadata of a safetensors file. Raises HLError when it is damaged or not one of this package's."""
    try:
        with safe_open(path, framework="pt") as file:
            state, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise HLError(
            f"weights {path} cannot be read ({error}): is it a whole .safetensors file?"
        ) from error
    if not {"stage", "config"} <= set(metadata):
        raise HLError(
            f"weights {path} carry no stage and configuration: they were not written by this package"
        )
    return state, metadata


def stored_config(metadata: dict[str, str]) -> RunConfig:
    """The configuration that a weights file was trained with."""
    return config.from_dict(json.loads(metadata["config"]))


class RunFolder:
    """`config.json`, `log.jsonl`, `samples/`, `checkpoints/`; when finished `weights.safetensors`, `scores.json`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.log, self.samples = (
            self.path / n for n in ("config.json", "log.jsonl", "samples")
        )
        self.last, self.best = (self.path / "checkpoints" / n for n in ("last.pt", "best.pt"))
        self.weights, self.scores = self.path / "weights.safetensors", self.path / "scores.json"

    @property
    def finished(self) -> bool:
        return self.scores.is_file() and self.weights.is_file()

    def start(self, about: dict, resume: bool) -> None:
        """Make the folder, or check that the run in it is the one described by `about`. Raises HLError."""
        out_folder(self.path)
        if not self.config.is_file():
            if self.path.is_dir() and any(not p.name.startswith(".") for p in self.path.iterdir()):
                raise HLError(f"--out {self.path} holds other files: choose an empty or new folder")
            save_json(self.config, about)
            return
        if not resume:
            raise HLError(
                f"--out {self.path} already holds a run: add --resume to go on, or choose another folder"
            )
        stored = json.loads(self.config.read_text())
        usual = RunConfig().as_dict()  # of fields that are younger than the run
        differing = [
            k
            for k in about["config"]
            if stored["config"].get(k, usual.get(k)) != about["config"][k]
        ]
        differing += [k for k in about if k != "config" and stored.get(k) != about[k]]
        if differing:
            raise OtherRun(
                f"--resume: {self.path} was started with another {', '.join(differing)}: use the same "
                "flags, or another --out"
            )

    def cut_back(self, step: int) -> None:
        """Drop log lines and samples later than the checkpoint that training goes on from."""
        kept = []
        if self.log.is_file():
            for line in self.log.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:  # the last line of a killed run
                    break
                if entry["step"] <= step:
                    kept.append(line)
            atomic(
                self.log, lambda file: file.write("".join(line + "\n" for line in kept).encode())
            )
        for sample in self.samples.glob("*.png"):
            if int(sample.stem) > step:
                sample.unlink()

    def save_sample(self, step: int, picture: Tensor) -> None:
        """Write samples/STEP.png, picture uint8 (3, H, W)."""
        save_png(self.samples / f"{step:07d}.png", picture)

    def append_log(self, entry: dict) -> None:
        """Add a line to log.jsonl. Raises HLError when it cannot be written."""
        try:
            with open(self.log, "a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise HLError(f"cannot write {self.log}: {REASONS.get(error.errno, error)}") from error
