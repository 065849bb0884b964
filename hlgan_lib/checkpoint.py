"""Run folders: atomic saves, exact resume, the weights of a finished run."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from . import config
from .config import RunConfig
from .errors import HLError

_REASONS = {errno.ENOSPC: "the disk is full: free some space and run the same command again (training: with --resume)",
            errno.EROFS: "the folder is read-only: choose another --out",
            errno.EACCES: "the folder may not be written to: choose another --out",
            errno.EDQUOT: "the disk quota is used up: free some space and run the same command again (a training "
                          "with --resume)",
            errno.ENOTDIR: "a part of the path is a file: choose another --out",
            errno.EEXIST: "a part of the path is a file: choose another --out"}


class OtherRun(HLError):
    """The folder holds a run of another stage, other settings or other pictures than the one to go on with."""


def atomic(path: Path, write: Callable) -> None:
    """Write a file whole or not at all: `write(file)` to a neighbour, flushed to the disk, then renamed.

    Raises HLError in one line when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        part.unlink(missing_ok=True) if part.parent.is_dir() and os.access(part.parent, os.W_OK) else None
        cause = error if isinstance(error, OSError) else error.__context__
        code = getattr(cause, "errno", None)
        if code is None and isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error):
            code = errno.ENOSPC
        if code is None:
            raise
        raise HLError(f"cannot write {path}: {_REASONS.get(code) or os.strerror(code)}") from error


def save_json(path: Path, values: dict) -> None:
    """Write `values` as indented JSON, atomically."""
    atomic(path, lambda file: file.write((json.dumps(values, indent=1) + "\n").encode()))


def save_png(path: Path, picture: Tensor) -> None:
    """Write a picture, uint8 (3, H, W), atomically."""
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    atomic(path, lambda file: image.save(file, "png"))


def save_checkpoint(path: Path, state: dict) -> None:
    """Write everything needed to go on (nested dicts of tensors and plain values), atomically."""
    atomic(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path) -> dict:
    """Read a checkpoint on the CPU without unpickling code. Raises HLError when it is missing or damaged."""
    if not Path(path).is_file():
        raise HLError(f"no checkpoint at {path}: start the run without --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever the zip reader or unpickler meets first
        raise HLError(f"checkpoint {path} cannot be read ({type(error).__name__}): go on from another one, such as "
                      f"best.pt renamed to last.pt, or start anew") from error


def save_weights(path: Path, state: dict[str, Tensor], stage: str, cfg: RunConfig, extra: dict | None = None) -> None:
    """Write a generator's weights as safetensors with the stage and the configuration in the metadata."""
    metadata = {"stage": stage, "config": json.dumps(cfg.as_dict()), **{k: str(v) for k, v in (extra or {}).items()}}
    data = safetensors_bytes({k: v.detach().cpu().contiguous() for k, v in state.items()}, metadata=metadata)
    atomic(path, lambda file: file.write(data))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State and metadata of a safetensors file. Raises HLError when it is damaged or not one of this package's."""
    try:
        with safe_open(path, framework="pt") as file:
            state, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise HLError(f"weights {path} cannot be read ({error}): is it a whole .safetensors file?") from error
    if not {"stage", "config"} <= set(metadata):
        raise HLError(f"weights {path} carry no stage and configuration: they were not written by this package")
    return state, metadata


def stored_config(metadata: dict[str, str]) -> RunConfig:
    """The configuration that a weights file was trained with."""
    return config.from_dict(json.loads(metadata["config"]))


class RunFolder:
    """`config.json`, `log.jsonl`, `samples/`, `checkpoints/`; when finished `weights.safetensors`, `scores.json`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.log, self.samples = (self.path / n for n in ("config.json", "log.jsonl", "samples"))
        self.last, self.best = (self.path / "checkpoints" / n for n in ("last.pt", "best.pt"))
        self.weights, self.scores = self.path / "weights.safetensors", self.path / "scores.json"

    @property
    def finished(self) -> bool:
        return self.scores.is_file() and self.weights.is_file()

    def start(self, about: dict, resume: bool) -> None:
        """Make the folder, or check that the run in it is the one described by `about`. Raises HLError."""
        if self.path.is_file():
            raise HLError(f"--out {self.path} is a file: choose a folder")
        if not self.config.is_file():
            if self.path.is_dir() and any(not p.name.startswith(".") for p in self.path.iterdir()):
                raise HLError(f"--out {self.path} holds other files: choose an empty or new folder")
            save_json(self.config, about)
            return
        if not resume:
            raise HLError(f"--out {self.path} already holds a run: add --resume to go on, or choose another folder")
        stored = json.loads(self.config.read_text())
        usual = RunConfig().as_dict()  # of fields that are younger than the run
        differing = [k for k in about["config"] if stored["config"].get(k, usual.get(k)) != about["config"][k]]
        differing += [k for k in about if k != "config" and stored.get(k) != about[k]]
        if differing:
            raise OtherRun(f"--resume: {self.path} was started with another {', '.join(differing)}: use the same "
                           "flags, or another --out")

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
            atomic(self.log, lambda file: file.write("".join(line + "\n" for line in kept).encode()))
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
            raise HLError(f"cannot write {self.log}: {_REASONS.get(error.errno, error)}") from error
