"""Scores of sets of faces: PSNR and SSIM of pairs, Frechet and kernel distances of sets.

A number says what it is: `frechet_lite0` is a Frechet distance on EfficientNet-Lite0; only one on Inception is `fid`.
Pictures are in [0, 1] here, but for evaluate, which takes what the rest of the package holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image.kid import poly_kernel, poly_mmd

from .data import FaceSet
from .errors import HLError
from .lite0 import FEATURES, LO_RULE, Lite0, device_of, enlarge_lo, extract, features, parts_of
from .optional_metrics import face_rate, fid_network, lpips_network
from .stats import centred, distance_interval, draws, gap_closed, interval, mean_interval

__all__ = ["METRICS", "enlarge_lo", "evaluate", "extract", "face_rate", "features", "frechet", "gap_closed",
           "kernel_distance", "psnr", "ssim"]

KERNEL_AT_MOST = 2000               # pictures a side in the interval of the kernel distance: its matrices grow as n^2
PAIRED = ("psnr", "ssim", "lpips")
METRICS = ("psnr", "ssim", "frechet_lite0", "kernel_lite0", "fid", "lpips")     # the last two need downloads


# ---- distances of sets -----------------------------------------------------------------------------------------------
def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features (N, d), in float64.

    d^2 = |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2)
    The product in this order is symmetric, so that fewer pictures than features do no harm. Source: 1706.08500, eq. 6.
    """
    a, b = _matching(a, b)
    s_a, s_b = (x.T.cov().reshape(x.shape[1], x.shape[1]) for x in (a, b))
    values, vectors = torch.linalg.eigh(s_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ s_b @ root).clamp(min=0).sqrt().sum()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    return max(0.0, float(shift + s_a.trace() + s_b.trace() - 2 * cross))


def _matching(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise HLError(f"features must be (N, d) of one d and N at least 2, got {tuple(a.shape)} and {tuple(b.shape)}: "
                      "make both with metrics.extract")
    return a.double().cpu(), b.double().cpu()


def kernel_distance(a: Tensor, b: Tensor, n_subsets: int = 50, subset_size: int | None = None,
                    seed: int = 0) -> tuple[float, float]:
    """Kernel distance of two sets of features (N, d): its mean and standard deviation over random subsets.

    MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b),  k(x, y) = (x . y / d + 1)^3, without pairs of a thing with
    itself, so that its mean does not depend on n and may fall below 0. subset_size: by default half of the smaller set,
    at most 1000. Source: 1801.01401; torchmetrics.
    """
    a, b = _matching(a, b)
    smaller = min(len(a), len(b))
    size = max(2, min(1000, smaller // 2)) if subset_size is None else subset_size
    if not 2 <= size <= smaller or n_subsets < 1:
        raise HLError(f"subset_size must be 2 to {smaller}, the smaller set, and n_subsets at least 1, got {size} and "
                      f"{n_subsets}: leave them out")
    generator = torch.Generator().manual_seed(seed)
    pick = lambda x: x[torch.randperm(len(x), generator=generator)[:size]]      # noqa: E731
    scores = torch.stack([poly_mmd(pick(a), pick(b)) for _ in range(n_subsets)])
    return float(scores.mean()), float(scores.std(unbiased=False))


def kernel_interval(a: Tensor, b: Tensor, value: float, n_boot: int = 200, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of the kernel distance, both sets resampled, centred on `value`.

    A picture drawn w times weighs w: (w' K w - sum w^2 K_ii) / (n^2 - sum w^2), so that no pair is of one picture.
    """
    a, b = a[:KERNEL_AT_MOST], b[:KERNEL_AT_MOST]
    count = lambda x, s: torch.stack([i.bincount(minlength=len(x)) for i in draws(len(x), n_boot, s)]).double()  # noqa: E731
    w, v = count(a, seed), count(b, seed + 1)
    within = lambda k, u: ((u @ k * u).sum(1) - u ** 2 @ k.diag()) / (len(k) ** 2 - (u ** 2).sum(1))             # noqa: E731
    across = (w @ poly_kernel(a, b) * v).sum(1) / (len(a) * len(b))
    return interval(centred(within(poly_kernel(a, a), w) + within(poly_kernel(b, b), v) - 2 * across, value))


# ---- scores of pairs -------------------------------------------------------------------------------------------------
def psnr(fake: Tensor, real: Tensor) -> Tensor:
    """Peak signal to noise ratio of each pair, 10 log10(1 / mean (fake - real)^2) dB: [0, 1] (B, 3, H, W) -> (B,)."""
    return peak_signal_noise_ratio(fake, real, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(fake: Tensor, real: Tensor) -> Tensor:
    """Structural similarity of each pair, Gaussian window of sigma 1.5: [0, 1] (B, 3, H, W) -> (B,), 1 for equal ones.

    mean of (2 mu_x mu_y + c1)(2 s_xy + c2) / ((mu_x^2 + mu_y^2 + c1)(s_x^2 + s_y^2 + c2)) over windows that lie wholly
    inside, as in Wang et al. 2004 and scikit-image (torchmetrics 1.9 takes mirrored ones in).
    """
    if min(fake.shape[-2:]) < 11:
        raise HLError(f"ssim needs pictures of at least 11x11, its window, got {tuple(fake.shape[-2:])}: leave it out")
    _, full = structural_similarity_index_measure(fake, real, data_range=1.0, reduction="none", return_full_image=True)
    return full[..., 5:-5, 5:-5].mean((1, 2, 3))


# ---- everything at once ----------------------------------------------------------------------------------------------
@torch.no_grad()
def evaluate(fake: FaceSet | Tensor, real: FaceSet | Tensor, paired: bool = False, metrics: Sequence[str] | None = None,
             seed: int = 0, n_boot: int = 200) -> dict[str, dict]:
    """Scores of made pictures against real ones: {metric: {value, n, ci, floor, floor_n, features, sd, note}}.

    fake, real: FaceSets, or float (N, 3, H, W) in [-1, 1]; with `paired`, fake[i] and real[i] show the same face.
    metrics: of METRICS, by default all that apply and need no download. ci: 95 % bootstrap interval over faces. floor:
    the distance of two halves of the real ones, floor_n pictures each (n where there are enough); what lies near it is
    no difference. sd: of the kernel distance over subsets. Sets are compared at equal n: the larger is subsampled by
    seed, and `note` says so. Pictures under 64x64 are enlarged by enlarge_lo before the features. HLError for sets,
    sizes, values or names that do not fit. Source: ours.
    """
    fake, real = _unit("fake", fake), _unit("real", real)
    names = _chosen(metrics, paired)
    sizes = [tuple(x.images.shape if isinstance(x, FaceSet) else x.shape)[-2:] for x in (fake, real)]
    if sizes[0] != sizes[1] or (paired and len(fake) != len(real)):
        raise HLError(f"fake and real must have one size{' and be pairs' if paired else ''}, got {len(fake)} of "
                      f"{sizes[0]} and {len(real)} of {sizes[1]}: did you mix up hi and lo?")
    if paired and isinstance(fake, FaceSet) and isinstance(real, FaceSet):
        _same_faces(fake, real)
    result = {name: _pairwise(name, fake, real, n_boot, seed) for name in names if name in PAIRED}
    if set(names) - set(PAIRED):
        result |= _setwise([name for name in names if name not in PAIRED], fake, real, n_boot, seed)
    return {name: result[name] for name in names}


def _chosen(metrics: Sequence[str] | None, paired: bool) -> list[str]:
    if isinstance(metrics, str) or (metrics is not None and not len(metrics)):
        raise HLError(f"metrics must be a list of at least one of {', '.join(METRICS)}, got {metrics!r}")
    names = list(metrics) if metrics is not None else [m for m in METRICS[:4] if paired or m not in PAIRED]
    for name in names:
        if name not in METRICS:
            raise HLError(f"metrics must be of {', '.join(METRICS)}, got {name!r}")
        if name in PAIRED and not paired:
            raise HLError(f"{name} compares pairs, got paired=False: pass paired=True with a truth for each picture, "
                          "or use frechet_lite0")
    return names


def _unit(name: str, x: FaceSet | Tensor) -> FaceSet | Tensor:
    """Checked; a tensor comes back in [0, 1]."""
    if len(x) < 2:
        raise HLError(f"{name} must hold at least 2 pictures, got {len(x)}: give more")
    if isinstance(x, FaceSet):
        return x
    if not torch.is_floating_point(x) or x.ndim != 4 or x.shape[1] != 3:
        raise HLError(f"{name} must be a FaceSet or float (N, 3, H, W) in [-1, 1], got {x.dtype} {tuple(x.shape)}: "
                      "see data.to_float")
    if not (x.amin() >= -1.001 and x.amax() <= 1.001):
        raise HLError(f"{name} must lie in [-1, 1], got {float(x.amin()):.3g} to {float(x.amax()):.3g}: clip it, or "
                      "see data.to_float")
    return (x.float().clamp(-1, 1) + 1) / 2


def _same_faces(fake: FaceSet, real: FaceSet) -> None:
    for a, b in zip(fake.names, real.names):
        if Path(a).with_suffix("") != Path(b).with_suffix(""):
            raise HLError(f"pairs must have the same names in the same order, got {a} beside {b}: rename or sort them, "
                          "or pass tensors (FaceSet.batch), which are taken in order")


def _score(value: float, n: int, ci: list | None, features: str, **more) -> dict:
    return {"value": value, "n": n, "ci": ci, "floor": None, "floor_n": None, "features": features, "sd": None,
            "note": None} | more


def _pairwise(name: str, fake: FaceSet | Tensor, real: FaceSet | Tensor, n_boot: int, seed: int) -> dict:
    """The mean of a score of pairs."""
    device = device_of(fake)
    score = {"psnr": psnr, "ssim": ssim}.get(name)
    if score is None:
        net = lpips_network(device)
        score = lambda a, b: net(a, b, normalize=True).reshape(len(a))                         # noqa: E731
    values = torch.cat([score(a, b).double().cpu() for a, b in zip(parts_of(fake, device), parts_of(real, device))])
    note = None if values.isfinite().all() else "a picture equals its truth: infinite, without an interval"
    what = {"psnr": "pixels, dB", "ssim": "pixels", "lpips": "AlexNet"}[name]
    return _score(float(values.mean()), len(values), mean_interval(values, n_boot, seed), what, note=note)


def _setwise(names: list[str], fake: FaceSet | Tensor, real: FaceSet | Tensor, n_boot: int, seed: int) -> dict:
    """Distances of sets at equal n, with their floor."""
    n = min(len(fake), len(real))
    notes = [f"{n} of the {len(x)} {which} pictures, drawn by seed {seed}"
             for which, x in (("fake", fake), ("real", real)) if len(x) > n]
    fake, real = _take(fake, n, seed), _take(real, 2 * n, seed + 1)
    result = {}
    if "fid" in names:
        result["fid"] = _fid(fake, real, n, "; ".join(notes) or None)
    if set(names) == {"fid"}:
        return result
    small = (fake.images if isinstance(fake, FaceSet) else fake).shape[-1] < 64
    a, b = extract(fake, enlarge=small), extract(real, enlarge=small)
    if n <= Lite0.num_features:
        notes.append(f"{n} pictures do not fill {Lite0.num_features} features: a coarse number")
    half = min(n, len(b) // 2)
    halves, b = (b[:half], b[half:2 * half]), b[:n]
    shared = {"floor_n": half if half > 1 else None, "note": "; ".join(notes) or None,
              "features": FEATURES + (f"; {LO_RULE}" if small else "")}
    if "frechet_lite0" in names:
        ci, floor = distance_interval(frechet, a, b, n_boot, seed), frechet(*halves) if half > 1 else None
        result["frechet_lite0"] = _score(frechet(a, b), n, ci, floor=floor, **shared)
    if "kernel_lite0" in names:
        value, sd = kernel_distance(a, b, seed=seed)
        ci, floor = kernel_interval(a, b, value, n_boot, seed), kernel_distance(*halves)[0] if half > 1 else None
        result["kernel_lite0"] = _score(value, n, ci, floor=floor, sd=sd, **shared)
    return result


def _fid(fake: FaceSet | Tensor, real: FaceSet | Tensor, n: int, note: str | None) -> dict:
    """FID of the first n of both by torchmetrics."""
    device = device_of(fake)
    metric = fid_network(device)
    for x, is_real in ((fake, False), (real[:n], True)):
        for part in parts_of(x, device):
            metric.update(part, real=is_real)
    return _score(float(metric.compute()), n, None, "Inception, torch-fidelity's weights, 2048 numbers", note=note)


def subsample(n: int, k: int, seed: int) -> Tensor:
    """At most k of n, in random order by seed."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:k]


def _take(images: FaceSet | Tensor, k: int, seed: int) -> FaceSet | Tensor:
    index = subsample(len(images), k, seed)
    return images[index.numpy()] if isinstance(images, FaceSet) else images[index.to(images.device)]
