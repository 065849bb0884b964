"""Use trained networks: find their weights, degrade, upscale; LR images of any degradation."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import UnionType
from typing import cast

import torch
from torch import Tensor, nn

from .checkpoint import RunFolder, read_weights, stored_config, weights_header
from .config import RunConfig
from .data.faces import TO_SIGNED, check_range, check_square, is_unit_range
from .degradations import Degradation
from .degradations import degradation as fixed_degradation
from .errors import HLError
from .files import user_path
from .networks import H2L, L2H, high_to_low, low_to_high
from .networks.baselines import CycleGAN, SRResNet
from .networks.blocks import check_images
from .networks.corrected import CorrectedLowToHigh
from .networks.flow import FlowLowToHigh
from .networks.released import ReleasedLowToHigh
from .rng import seeded
from .schema import read_json

# Of each kind of weights: the class (or classes) of its network, and what makes one of a
# configuration.
NETWORKS: dict[str, type[nn.Module] | UnionType] = {
    "h2l": H2L,
    "l2h": L2H,
    "srgan": SRResNet,
    "cyclegan": CycleGAN,
    "flow": FlowLowToHigh,
    "pseudo": CorrectedLowToHigh,
}
BUILDERS: dict[str, Callable[[RunConfig], nn.Module]] = {
    "h2l": high_to_low,
    "l2h": low_to_high,
    "srgan": SRResNet,
    "cyclegan": CycleGAN,
    "flow": FlowLowToHigh,
    "pseudo": CorrectedLowToHigh,
}
# What each is good for: all but H2L restore, as L2H does.
ROLES = {kind: "h2l" if kind == "h2l" else "l2h" for kind in NETWORKS}
AUTHORS = (".pkl", ".pth", ".pt")  # endings of files in the authors' format
SHIPPED = Path(__file__).parent / "weights"
LARGEST_BUFFERS = 100_000_000  # bytes; a hundred times what the learned camera makes of its z
BATCH = 64  # images that go through a network at once
SCALE = 4  # HR pixels a side that become one LR pixel, where nothing else says so
Weights = str | Path | nn.Module


# ---- finding weights -----------------------------------------------------------------------------
def shipped_weights() -> dict[str, Path]:
    """Names and files of the weights inside the package."""
    return {p.stem: p for p in sorted(SHIPPED.glob("*.safetensors"))}


@cache
def check_hash(path: Path) -> None:
    """Compare a shipped file with hashes.json beside it, once a process.

    Raises:
        HLError: where they differ.
    """
    listing = path.parent / "hashes.json"
    remedy = "install hlgan_lib again"
    known = {}
    if listing.is_file():
        known = read_json(listing, dict[str, str], "the list of shipped weights", remedy)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != known.get(path.stem):
        raise HLError(f"weights {path.stem}: the file is damaged: {remedy}")


def load_weights(
    name_or_path: Weights, *, stage: str | None = None, device: str | torch.device = "cpu"
) -> nn.Module:
    """A trained network in eval mode, its gradients off.

    Args:
        name_or_path: a shipped name (`shipped_weights()`; "shipped:NAME" where a folder here has
            the same), a finished run folder, a `.safetensors` file, or the authors' `model.pkl`
            (read without unpickling code). A network is passed through.
        stage: "h2l" (degrades) or "l2h" (restores; the baselines too) where only that will do.
        device: where to put it.

    Returns:
        The network; `about` holds the metadata of a `.safetensors` file.

    Raises:
        HLError: where nothing fits, or a shipped file is damaged.
    """
    if isinstance(name_or_path, nn.Module):
        _check_role(name_or_path, stage)
        return name_or_path.to(device).eval()
    path = _file_of(name_or_path)
    if path.suffix in AUTHORS:
        kind: str = "l2h"
        net: nn.Module = ReleasedLowToHigh.load(path)
    else:
        kind, net = _read_network(path)
    if stage and ROLES[kind] != stage:
        raise HLError(f"weights {name_or_path} are of stage {kind}, expected {stage}")
    return net.to(device).eval().requires_grad_(False)


def _check_role(net: nn.Module, stage: str | None) -> None:
    """Raise HLError for a network that is known to be of another stage."""
    for kind, network in NETWORKS.items():
        if stage and ROLES[kind] != stage and isinstance(net, network):
            raise HLError(f"weights must be a network of stage {stage}, got {type(net).__name__}")


def _file_of(name_or_path: str | Path) -> Path:
    """The file behind a shipped name, a run folder or a path. Raises HLError if there is none."""
    name = str(name_or_path)
    path = user_path(name)
    shipped = shipped_weights().get(name.removeprefix("shipped:"))
    if shipped:
        own = (
            path.is_file() or RunFolder(path).config.is_file() or RunFolder(path).weights.is_file()
        )
        if own:
            raise HLError(
                f"weights {name!r} are shipped, and a run or file here has the same name: write "
                f"./{name} for it, or shipped:{name}"
            )
        path = shipped
    if path.parent == SHIPPED:
        check_hash(path)
    if path.is_dir():
        path = RunFolder(path).weights
        if not path.is_file():
            raise HLError(f"weights {name_or_path}: the run is not finished; go on with --resume")
    if not path.is_file():
        names = ", ".join(shipped_weights()) or "(none shipped)"
        raise HLError(
            f"weights must be a run folder, a .safetensors file, model.pkl or one of {names}, got "
            f"{name!r}"
        )
    return path


def _read_network(path: Path) -> tuple[str, nn.Module]:
    """Kind and network of a .safetensors file.

    Its shapes are compared before any memory is taken: what the configuration claims must be in the
    file.
    """
    shapes, metadata = weights_header(path)
    kind = metadata["stage"]
    if kind not in BUILDERS:
        raise HLError(f"weights {path} are of stage {kind!r}, which this version does not know")
    try:
        cfg = stored_config(metadata)
        with torch.device("meta"):
            claimed = BUILDERS[kind](cfg)
            expected = claimed.state_dict()
    except HLError as error:
        raise HLError(f"weights {path} cannot be read: {error}") from error
    except Exception as error:  # a network of absurd sizes fails in many ways
        raise _misfit(path, kind) from error
    if shapes != {name: tuple(value.shape) for name, value in expected.items()}:
        raise _misfit(path, kind)
    made = sum(buffer.nbytes for buffer in claimed.buffers())  # some of which no file holds
    if made > LARGEST_BUFFERS:
        raise _misfit(path, kind)
    net = BUILDERS[kind](cfg)
    try:
        net.load_state_dict(read_weights(path)[0])
    except RuntimeError as error:
        raise _misfit(path, kind) from error
    net.about = metadata  # type: ignore[assignment]
    return kind, net


def _misfit(path: Path, kind: str) -> HLError:
    return HLError(f"weights {path} do not fit this version's {kind} network: train them anew")


# ---- using them ----------------------------------------------------------------------------------
def _check_values(name: str, x: Tensor) -> None:
    """Refuse what lies outside [-1, 1]; say what looks like [0, 1]: one picture may be so."""
    check_range(name, x)
    if is_unit_range(x):
        warnings.warn(f"{name} must lie in [-1, 1]: {TO_SIGNED}", UserWarning, stacklevel=4)


def new_z(h2l: H2L, n: int, generator: torch.Generator) -> Tensor:
    """Noise for n images: (n, z_dim) of N(0, 1), on the generator's device."""
    return torch.randn(n, h2l.cfg.z_dim, generator=generator, device=generator.device)


@torch.no_grad()
def degrade(weights: Weights, hi: Tensor, n_z: int = 1, seed: int = 0) -> Tensor:
    """HR images degraded as an H2L has learned to.

    Args:
        weights: of an H2L, as in `load_weights`.
        hi: (B, 3, 64, 64) in [-1, 1].
        n_z: how many noises an image.
        seed: of the noise; the same seed gives the same images.

    Returns:
        LR images (B, n_z, 3, 16, 16) in [-1, 1] on hi's device.

    Raises:
        HLError: for a wrong shape, or weights of another stage.

    >>> import hlgan_lib as hl
    >>> hi = hl.load_faces("faces:val:hi").batch(slice(0, 2))
    >>> degrade(hl.HighToLow(hl.preset("smoke")), hi, n_z=3).shape
    torch.Size([2, 3, 3, 16, 16])
    """
    if n_z < 1:
        raise HLError(f"n_z must be 1 or more, got {n_z}")
    _check_values("hi", hi)
    h2l = cast(H2L, load_weights(weights, stage="h2l", device=hi.device))
    generator = seeded(seed, hi.device)
    return torch.stack([h2l(hi, new_z(h2l, len(hi), generator)) for _ in range(n_z)], dim=1)


@torch.no_grad()
def upscale(weights: Weights, lo: Tensor) -> Tensor:
    """LR images restored by an L2H (or a baseline, or a flow).

    Args:
        weights: as in `load_weights`; of a flow, the face of its noise of seed 0 (see `sample`).
        lo: (B, 3, 16, 16) in [-1, 1].

    Returns:
        HR images (B, 3, 64, 64) in [-1, 1] on lo's device.

    Raises:
        HLError: for a wrong shape, or weights of another stage.
    """
    _check_values("lo", lo)
    l2h = cast(L2H, load_weights(weights, stage="l2h", device=lo.device))
    check_images("lo", lo, l2h.cfg.size_lo)
    return torch.cat([l2h(part) for part in lo.split(BATCH)])


@torch.no_grad()
def sample(weights: Weights, lo: Tensor, n: int = 8, seed: int = 0) -> Tensor:
    """Several faces that fit each LR image, drawn by a flow.

    Args:
        weights: of a flow, as in `load_weights`.
        lo: (B, 3, 16, 16) in [-1, 1].
        n: how many an image.
        seed: of the noises, n of them, each that of all images; the first of seed 0 is that of
            `upscale`.

    Returns:
        HR images (B, n, 3, 64, 64) in [-1, 1] on lo's device.

    Raises:
        HLError: for a wrong shape, and weights that are not a flow's.
    """
    if n < 1:
        raise HLError(f"n must be 1 or more, got {n}")
    _check_values("lo", lo)
    flow = load_weights(weights, stage="l2h", device=lo.device)
    if not isinstance(flow, FlowLowToHigh):
        raise HLError(
            f"weights must be of a flow (hlgan train flow), got {type(flow).__name__}, which draws "
            "one image only: use upscale"
        )
    check_images("lo", lo, flow.cfg.size_lo)
    drawn = [_drawn(flow, lo, noise) for noise in flow.noise(n, seed).split(1)]
    return torch.stack(drawn, dim=1)


def _drawn(flow: FlowLowToHigh, lo: Tensor, noise: Tensor) -> Tensor:
    """A face for each image, all of one noise."""
    return torch.cat([flow(part, noise) for part in lo.split(BATCH)])


# ---- degradations --------------------------------------------------------------------------------
def resolve_degradation(
    name: str | Degradation, cfg: RunConfig, device: torch.device
) -> Degradation:
    """The function (hi, generator) -> lo behind a name.

    Args:
        name: "learned:W" (W as in `load_weights`; a frozen H2L in eval mode), a name of
            `degradations.DEGRADATIONS`, or a function, which is passed through.
        cfg: its sizes.
        device: where a learned one goes.

    Raises:
        HLError: for an unknown name, and weights of other sizes.
    """
    if callable(name):
        return name
    if not name.startswith("learned:"):
        return fixed_degradation(name, cfg.size_lo)
    net = load_weights(name.removeprefix("learned:"), stage="h2l", device=device)
    h2l = cast(H2L, net)
    lo, hi = h2l.cfg.size_lo, h2l.cfg.size_hi
    if (hi, lo) != (cfg.size_hi, cfg.size_lo):
        raise HLError(
            f"the degradation {name} makes {lo}x{lo} from {hi}x{hi} pictures, the configuration "
            f"wants {cfg.size_lo} from {cfg.size_hi}"
        )
    return _drawing_z(h2l)


def _drawing_z(h2l: H2L) -> Degradation:
    """An H2L as a degradation: a new z for each image."""

    def learned(hi: Tensor, generator: torch.Generator) -> Tensor:
        return h2l(hi, new_z(h2l, len(hi), generator))

    return learned


@torch.no_grad()
def shots(degradation: str | Degradation | H2L, hi: Tensor, n: int = 1, seed: int = 0) -> Tensor:
    """n LR images of each HR one: a learned degradation draws a new z, the camera new parameters.

    Args:
        degradation: as in `hl.train` ("learned:W", "bilinear", "bicubic", "blur", "handmade",
            "camera", a function (hi, generator) -> lo), or an H2L network.
        hi: (B, 3, S, S) in [-1, 1].
        n: how many of each image.
        seed: of all that is drawn; the same seed gives the same images.

    Returns:
        (n, B, 3, s, s) in [-1, 1] on hi's device.

    Raises:
        HLError: for a wrong shape or degradation.
    """
    check_square("hi", hi)
    _check_values("hi", hi)
    if isinstance(degradation, nn.Module):
        make = _drawing_z(cast(H2L, degradation.to(hi.device).eval()))
    else:
        side = hi.shape[-1]
        cfg = RunConfig(size_hi=side, size_lo=side // SCALE)
        make = resolve_degradation(degradation, cfg, hi.device)
    generator = seeded(seed, hi.device)
    draws = []
    for _ in range(n):
        parts = [make(part, generator) for part in hi.split(BATCH)]
        draws.append(torch.cat(parts))
    return torch.stack(draws)
