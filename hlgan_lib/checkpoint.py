"""Run folders: atomic saves, exact resume, the weights of a finished run."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypedDict

import torch
from safetensors import safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from . import config
from .config import RunConfig
from .errors import HLError
from .files import (
    Lock,
    append,
    atomic,
    check_zip,
    is_empty,
    out_folder,
    save_json,
    save_png,
    sweep,
    user_path,
)
from .schema import checked, loads, plain, read_json
from .text import as_json, shown


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
        check_zip(path)
        return checked(torch.load(path, map_location="cpu", weights_only=True), dict[str, Any])
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
        stage: "h2l", "l2h", "srgan", "cyclegan", "flow" or "pseudo"; goes into the metadata.
        cfg: the configuration it was trained with; goes into the metadata.
        extra: further notes for the metadata.

    Raises:
        HLError: where it cannot be written.
    """
    metadata = {"stage": stage, "config": as_json(cfg.as_dict())}
    metadata |= {k: shown(v) for k, v in (extra or {}).items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    data = safetensors_bytes(tensors, metadata=metadata)
    atomic(path, lambda file: file.write(data))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State and metadata of a safetensors file.

    Raises:
        HLError: where it is damaged or not one of this package's.
    """
    metadata = weights_header(path)[1]
    with _whole(path), safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return state, metadata


def weights_header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Shapes and metadata of a safetensors file, of which no more than its head is read.

    Raises:
        HLError: where it is damaged or not one of this package's.
    """
    with _whole(path), safe_open(path, framework="pt") as file:
        names = file.keys()
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        metadata = file.metadata() or {}
    if not {"stage", "config"} <= set(metadata):
        raise HLError(
            f"weights {path} carry no stage and configuration: they were not written by this "
            "package"
        )
    return shapes, metadata


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What a damaged safetensors file raises becomes an HLError."""
    try:
        yield
    # Besides SafetensorError: whatever torch says to a type of numbers that it does not have.
    except Exception as error:
        raise HLError(
            f"weights {path} cannot be read ({plain(error)}): is it a whole .safetensors file?"
        ) from error


def stored_config(metadata: dict[str, str]) -> RunConfig:
    """The configuration that a weights file was trained with.

    Raises:
        HLError: where the metadata holds none that this version knows.
    """
    try:
        values = checked(loads(metadata["config"]), dict[str, Any])
        return config.from_dict(values, metadata["stage"])
    except HLError:
        raise
    except ValueError as error:
        raise HLError(
            f"the configuration in the weights' metadata cannot be read ({error}): they were "
            "damaged or not written by this package"
        ) from error


def fingerprint(*networks: nn.Module) -> str:
    """SHA-256 of the networks' parameters and buffers, its first 16 digits."""
    digest = hashlib.sha256()
    for net in networks:
        for name, value in sorted(net.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


# ---- what a run folder holds ---------------------------------------------------------------------
class Source(TypedDict):
    """What a run learned from, so that it knows it again."""

    n: int  # pictures; of networks, 1
    digest: str  # of names and pixels, or of weights


class _About(TypedDict):
    stage: Literal["h2l", "l2h", "joint", "srgan", "cyclegan", "flow", "semicycle", "pseudo"]
    config: dict[str, Any]


class About(_About, total=False):
    """config.json: what a run is of. Names are for people; a run is known by `data`."""

    hi: str
    lo: str
    degradation: str
    h2l: str
    l2h: str
    data: dict[str, Source]
    machine: dict[str, int | str]


class _Entry(TypedDict):
    step: int
    images: int
    losses: dict[str, float | None]
    health: list[str]
    seconds: float
    rate: float


class Entry(_Entry, total=False):
    """A line of log.jsonl."""

    score: float | None


class Scores(TypedDict):
    """scores.json, the end of a run."""

    stage: str
    images: int
    seconds: float
    val_frechet_lite0: float | None
    device: str


def log_entry(line: str | bytes) -> Entry | None:
    """A line of log.jsonl; None where it is damaged."""
    try:
        entry = checked(loads(line), Entry)
    except ValueError:
        return None
    possible = min(entry["step"], entry["images"]) > 0 and entry["rate"] >= 0
    return entry if possible else None


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
        self.path = user_path(path)
        self.config = self.path / "config.json"
        self.log = self.path / "log.jsonl"
        self.samples = self.path / "samples"
        self.last = self.path / "checkpoints" / "last.pt"
        self.best = self.path / "checkpoints" / "best.pt"
        self.weights = self.path / "weights.safetensors"
        self.scores = self.path / "scores.json"
        self._lock: Lock | None = None

    @property
    def finished(self) -> bool:
        """Are weights and scores there? Damaged scores are not: they are made anew."""
        if not self.weights.is_file():
            return False
        try:
            self.read_scores()
        except HLError:
            return False
        return True

    # ---- reading ---------------------------------------------------------------------------------
    def read_about(self) -> About:
        """config.json. Raises HLError where it is damaged."""
        remedy = "restore it from a copy, or choose another --out"
        return read_json(self.config, About, "the run's configuration", remedy)

    def read_scores(self) -> Scores:
        """scores.json. Raises HLError where there is none, or it is damaged."""
        remedy = "go on with --resume, which makes it anew"
        return read_json(self.scores, Scores, "the run's scores", remedy)

    def read_log(self) -> tuple[list[Entry], int]:
        """The whole lines of log.jsonl, their steps rising, and how many damaged ones it has.

        What a killed run left of its last line is not counted.
        """
        lines = self.log.read_bytes().splitlines(keepends=True) if self.log.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        entries: list[Entry] = []
        for line in lines:
            entry = log_entry(line)
            if entry and (not entries or entry["step"] > entries[-1]["step"]):
                entries.append(entry)
        return entries, len(lines) - len(entries)

    # ---- beginning and end -----------------------------------------------------------------------
    def check(self, about: About, resume: bool) -> None:
        """Is this folder the one for this run? Touches nothing.

        Args:
            about: what the run is of.
            resume: may the folder hold this run already?

        Raises:
            OtherRun: where it holds a run of something else.
            HLError: where it holds a run and `resume` is false, or other files.
        """
        out_folder(self.path)
        if not self.config.is_file():
            if self.path.is_dir() and not is_empty(self.path):
                raise HLError(f"--out {self.path} holds other files: choose an empty or new folder")
            return
        if not resume:
            raise HLError(
                f"--out {self.path} already holds a run: add --resume to go on, or choose another "
                "folder"
            )
        stored = self.read_about()
        differing = _differing(stored, about)
        if differing:
            raise OtherRun(
                f"--resume: {self.path} was started with another {', '.join(differing)}: use the "
                "same flags and data, or another --out"
            )

    def start(self, about: About, resume: bool) -> None:
        """Make the folder, or check that the run in it is the one to go on with; lock it.

        Args: as `check`.

        Raises:
            OtherRun: where it holds a run of something else.
            HLError: where it holds a run and `resume` is false, other files, or is being trained.
        """
        self.check(about, resume)  # before a lock is put beside somebody's files
        if self.finished:
            return
        self.release()
        self._lock = Lock(self.path)
        try:
            if self.config.is_file():
                self.check(about, resume)  # again, as it may have been made meanwhile
                _tell_of_the_machine(self.read_about(), about)
            else:
                save_json(self.config, dict(about))
            for folder in (self.path, self.samples, self.last.parent):
                sweep(folder)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let other trainings into the folder."""
        if self._lock:
            self._lock.release()
        self._lock = None

    # ---- ticks -----------------------------------------------------------------------------------
    def cut_back(self, step: int) -> None:
        """Drop log lines and samples later than the checkpoint that training goes on from."""
        if self.log.is_file():
            entries, n_damaged = self.read_log()
            if n_damaged:
                warnings.warn(
                    f"{self.log} has {n_damaged} damaged lines, which are left out", stacklevel=2
                )
            kept = "".join(as_json(e) + "\n" for e in entries if e["step"] <= step)
            atomic(self.log, lambda file: file.write(kept.encode()))
        for sample in self.samples.glob("*.png"):
            ours = re.fullmatch(r"[0-9]{7,18}", sample.stem)  # not a copy that somebody made
            if ours and int(sample.stem) > step:
                sample.unlink()

    def save_sample(self, step: int, picture: Tensor) -> None:
        """Write samples/STEP.png, picture uint8 (3, H, W)."""
        save_png(self.samples / f"{step:07d}.png", picture)

    def append_log(self, entry: dict[str, Any]) -> None:
        """Add a line to log.jsonl.

        Raises:
            HLError: where it cannot be written.
        """
        append(self.log, as_json(entry))


def _differing(stored: About, about: About) -> list[str]:
    """Names of fields and sources in which a stored run differs from `about`."""
    usual = RunConfig().as_dict()  # of fields that are younger than the run
    differing = []
    for name, value in about["config"].items():
        if stored["config"].get(name, usual.get(name)) != value:
            differing.append(name)
    known, now = stored.get("data", {}), about.get("data", {})
    for name in ("stage", "hi", "lo", "degradation", "h2l", "l2h"):
        was, given = stored.get(name), about.get(name)
        if name in known and name in now:  # moved, perhaps, but the same
            if known[name] != now[name]:
                counts = f"{known[name]['n']} of {was} then, {now[name]['n']} of {given} now"
                differing.append(f"{name} ({counts})" if name in ("hi", "lo") else name)
        elif was != given:
            differing.append(name)
    return differing + config.gone(stored["config"], about["stage"])


def _tell_of_the_machine(stored: About, about: About) -> None:
    """Warn where a run goes on in a way that does not repeat an unbroken one bit for bit."""
    was, now = stored.get("machine", {}), about.get("machine", {})
    others = [f"{k} {was[k]} then, {v} now" for k, v in now.items() if was.get(k, v) != v]
    if others:
        warnings.warn(
            f"the run goes on elsewhere ({', '.join(others)}): its numbers will differ from those "
            "of an unbroken run in their last digits",
            stacklevel=2,
        )
