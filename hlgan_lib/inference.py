"""Use trained networks: find their weights, degrade, upscale, and take shots with any degradation."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from .checkpoint import RunFolder, read_weights, stored_config
from .config import RunConfig
from .data.faces import check_square
from .degradations import Degradation
from .degradations import degradation as fixed_degradation
from .errors import HLError
from .networks import H2L, high_to_low
from .networks.baselines import CycleGAN, SRResNet
from .networks.blocks import check_images
from .networks.paper import LowToHigh
from .networks.released import ReleasedLowToHigh

# Of each kind of weights: the class (or classes) of its network, and what makes one of a configuration.
NETWORKS = {
    "h2l": H2L,
    "l2h": LowToHigh,
    "srgan": SRResNet,
    "cyclegan": CycleGAN,
}
BUILDERS = NETWORKS | {"h2l": high_to_low}
ROLES = dict.fromkeys(NETWORKS, "l2h") | {"h2l": "h2l"}  # the rivals restore, as L2H does
SHIPPED = Path(__file__).parent / "weights"
Weights = str | Path | nn.Module


def shipped_weights() -> dict[str, Path]:
    """Names and files of the weights inside the package."""
    return {p.stem: p for p in sorted(SHIPPED.glob("*.safetensors"))}


@cache
def check_hash(path: Path) -> None:
    """Compare a shipped file with hashes.json beside it, once a process. Raises HLError where they differ."""
    listing = path.parent / "hashes.json"
    known = json.loads(listing.read_text()) if listing.is_file() else {}
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != known.get(path.stem):
        raise HLError(f"weights {path.stem}: the file is damaged: install hlgan_lib again")


def load_weights(
    name_or_path: Weights, *, stage: str | None = None, device: str | torch.device = "cpu"
) -> nn.Module:
    """A trained network in eval mode, its gradients off.

    name_or_path: a shipped name (`shipped_weights()`), a finished run folder, a `.safetensors` file, or the authors'
    `model.pkl` (read without unpickling code). stage: "h2l" (spoils) or "l2h" (restores; the rivals too) where only
    that will do. A network is passed through. Raises HLError when nothing fits or a shipped file is damaged.
    """
    if isinstance(name_or_path, nn.Module):
        if stage and any(
            isinstance(name_or_path, c) for k, c in NETWORKS.items() if ROLES[k] != stage
        ):
            raise HLError(
                f"weights must be a network of stage {stage}, got {type(name_or_path).__name__}"
            )
        return name_or_path.to(device).eval()
    path = shipped_weights().get(str(name_or_path)) or Path(name_or_path)
    if path.parent == SHIPPED:
        check_hash(path)
    if path.is_dir():
        path = RunFolder(path).weights
        if not path.is_file():
            raise HLError(f"weights {name_or_path}: the run is not finished; go on with --resume")
    if not path.is_file():
        raise HLError(
            f"weights must be a run folder, a .safetensors file, model.pkl or one of "
            f"{', '.join(shipped_weights()) or '(none shipped)'}, got {str(name_or_path)!r}"
        )
    if path.suffix in (".pkl", ".pth", ".pt"):
        kind, net = "l2h", ReleasedLowToHigh.load(path)
    else:
        state, metadata = read_weights(path)
        kind = metadata["stage"]
        if kind not in NETWORKS:
            raise HLError(f"weights {path} are of stage {kind!r}, which this version does not know")
        net = BUILDERS[kind](stored_config(metadata))
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            raise HLError(
                f"weights {path} do not fit this version's {kind} network: train them anew"
            ) from error
        net.about = metadata
    if stage and ROLES[kind] != stage:
        raise HLError(f"weights {name_or_path} are of stage {kind}, expected {stage}")
    return net.to(device).eval().requires_grad_(False)


def new_z(h2l: H2L, n: int, generator: torch.Generator) -> Tensor:
    """Noise for n pictures: (n, z_dim) of N(0, 1), on the generator's device."""
    return torch.randn(n, h2l.cfg.z_dim, generator=generator, device=generator.device)


@torch.no_grad()
def degrade(weights: Weights, hi: Tensor, n_z: int = 1, seed: int = 0) -> Tensor:
    """Sharp pictures as H2L has learned to spoil them.

    hi (B, 3, 64, 64) in [-1, 1] -> (B, n_z, 3, 16, 16) in [-1, 1] on hi's device, n_z noises a picture; the same seed
    gives the same pictures. Raises HLError for a wrong shape or weights of another stage.

    >>> import hlgan_lib as hl
    >>> hi = hl.load_faces("faces:val:hi").batch(slice(0, 2))
    >>> degrade(hl.HighToLow(hl.preset("smoke")), hi, n_z=3).shape
    torch.Size([2, 3, 3, 16, 16])
    """
    if n_z < 1:
        raise HLError(f"n_z must be 1 or more, got {n_z}")
    h2l = load_weights(weights, stage="h2l", device=hi.device)
    generator = torch.Generator(hi.device).manual_seed(seed)
    return torch.stack([h2l(hi, new_z(h2l, len(hi), generator)) for _ in range(n_z)], dim=1)


@torch.no_grad()
def upscale(weights: Weights, lo: Tensor) -> Tensor:
    """Poor pictures restored. lo (B, 3, 16, 16) in [-1, 1] -> (B, 3, 64, 64) in [-1, 1] on lo's device.

    Raises HLError for a wrong shape or weights of another stage.
    """
    l2h = load_weights(weights, stage="l2h", device=lo.device)
    check_images("lo", lo, l2h.cfg.size_lo)
    return torch.cat([l2h(part) for part in lo.split(64)])


def resolve_degradation(
    name: str | Degradation, cfg: RunConfig, device: torch.device
) -> Degradation:
    """The function (hi, generator) -> lo behind a name; "learned:W" is a frozen H2L in eval mode."""
    if callable(name):
        return name
    if not name.startswith("learned:"):
        return fixed_degradation(name, cfg.size_lo)
    h2l = load_weights(name.removeprefix("learned:"), stage="h2l", device=device)
    if (h2l.cfg.size_hi, h2l.cfg.size_lo) != (cfg.size_hi, cfg.size_lo):
        raise HLError(
            f"the degradation {name} makes {h2l.cfg.size_lo}x{h2l.cfg.size_lo} from {h2l.cfg.size_hi}x"
            f"{h2l.cfg.size_hi} pictures, the configuration wants {cfg.size_lo} from {cfg.size_hi}"
        )
    return lambda hi, generator: h2l(hi, new_z(h2l, len(hi), generator))


@torch.no_grad()
def shots(degradation: str | Degradation | H2L, hi: Tensor, n: int = 1, seed: int = 0) -> Tensor:
    """n poor pictures of each face: (B, 3, N, N) in [-1, 1] -> (n, B, 3, s, s), the same for the same seed.

    degradation: as in `hl.train` ("learned:W", "bilinear", "bicubic", "blur", "handmade", "camera", a function
    (hi, generator) -> lo), or an H2L network. A learned one draws a new z, the camera new parameters for each.
    """
    check_square("hi", hi)
    if isinstance(degradation, nn.Module):
        h2l = degradation.to(hi.device).eval()
        make = lambda part, generator: h2l(part, new_z(h2l, len(part), generator))  # noqa: E731
    else:
        make = resolve_degradation(degradation, RunConfig(size_hi=hi.shape[-1]), hi.device)
    generator = torch.Generator(hi.device).manual_seed(seed)
    return torch.stack(
        [torch.cat([make(part, generator) for part in hi.split(64)]) for _ in range(n)]
    )
