"""Trained networks on files: a folder degraded, a folder upscaled, pictures measured, the demo."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..data.faces import FaceSet, to_uint8
from ..data.loading import load_faces
from ..degradations.handmade import bilinear
from ..errors import HLError
from ..files import out_folder, save_json, save_png
from ..inference import H2L, degrade, load_weights, new_z, upscale
from ..networks.baselines import enlarged

BATCH = 64
N_SHOWN, N_SHOWN_Z = 8, 4
ADD_FIT = "add --fit to crop and reduce them (nothing is enlarged)"
Progress = Callable[[Iterable], Iterable]  # wraps the batches, to show how far the work is
PICTURES = {s for s, kind in Image.registered_extensions().items() if kind in Image.OPEN}


def degrade_files(
    weights: str | Path,
    source: str | Path,
    out: str | Path,
    n_z: int = 1,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
) -> list[Path]:
    """Degrade every image of `source` as H2L has learned, n_z times; PNGs keep the files' names.

    Raises HLError before anything is written where weights, pictures or folder cannot be right.
    """
    if n_z < 1:
        raise HLError(f"--n-z must be 1 or more, got {n_z}")
    check_folder(out, source)
    h2l = cast(H2L, load_weights(weights, stage="h2l", device=device))
    hi = load_faces(source, None if _is_built_in(source) else h2l.cfg.size_hi, role="hi", minimum=1)
    _check_size(hi, h2l.cfg.size_hi, source)
    names = output_names(hi.names, [f"_z{k}" for k in range(n_z)] if n_z > 1 else [""])
    generator = torch.Generator(device).manual_seed(seed)

    @torch.no_grad()
    def degraded(x: Tensor) -> Tensor:
        z = new_z(h2l, len(x) * n_z, generator)
        return h2l(x.repeat_interleave(n_z, 0), z)

    return _write_all(degraded, hi, names, out, device, progress)


def upscale_files(
    weights: str | Path,
    source: str | Path,
    out: str | Path,
    fit: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
) -> list[Path]:
    """Restore every LR image of `source`; PNGs keep the names of the files.

    Images of another size than the network's are refused, or with `fit` centre-cropped and reduced;
    nothing is enlarged. Raises HLError before anything is written where weights, images or folder
    cannot be right.
    """
    check_folder(out, source)
    l2h: Any = load_weights(weights, stage="l2h", device=device)
    lo = load_lo(source, l2h.cfg.size_lo, fit)
    names = output_names(lo.names, [""])
    return _write_all(lambda x: upscale(l2h, x), lo, names, out, device, progress)


def upscale_with_trust(
    weights: str | Path,
    h2l: str | Path,
    source: str | Path,
    out: str | Path,
    fit: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
) -> tuple[list[Path], list[str]]:
    """`upscale_files`, and trust.csv beside the images (see `write_trust`).

    h2l: the stage one that l2h was trained with. Returns the files and the doubtful names. Raises
    HLError as `upscale_files`.
    """
    # Here, as metrics take a second to import.
    from ..reliability.trust import calibration_of, trust, write_trust

    check_folder(out, source)
    restorer: Any = load_weights(weights, stage="l2h", device=device)
    nets = restorer, load_weights(h2l, stage="h2l", device=device)
    lo = load_lo(source, restorer.cfg.size_lo, fit)
    names = output_names(lo.names, [""])
    calibration = calibration_of(*nets, device=device)
    judged = []

    def restore(x: Tensor) -> Tensor:
        judged.append(trust(*nets, x, calibration))
        return judged[-1].restored

    written = _write_all(restore, lo, names, out, device, progress)
    return written, write_trust(Path(out).expanduser() / "trust.csv", names, judged)


def load_lo(source: str | Path, size: int, fit: bool) -> FaceSet:
    """LR images that are size x size already, or made so where `fit`."""
    if _is_built_in(source):
        lo = load_faces(source, role="lo")
    elif fit:
        lo = _one_side(source, "--input", size, minimum=1)
    else:
        try:
            lo = _one_side(source, "--input", minimum=1)
        except HLError as error:
            if "square and of one size" in str(error):
                raise HLError(
                    f"--input {source} holds pictures of several shapes, the network takes "
                    f"{size}x{size}: {ADD_FIT}"
                ) from error
            raise
    _check_size(lo, size, source, ADD_FIT)
    return lo


def _is_built_in(source: str | Path) -> bool:
    return str(source).startswith("faces:")


def _check_size(
    faces: FaceSet, size: int, source: str | Path, remedy: str = "give another folder"
) -> None:
    h, w = faces.size
    if (h, w) != (size, size):
        raise HLError(
            f"--input {source} holds {w}x{h} pictures, the network takes {size}x{size}: {remedy}"
        )


def output_names(names: tuple[str, ...], endings: list[str]) -> list[str]:
    """The names of the PNGs, an ending each: `a/b.jpg` -> `a/b.png`.

    `b.jpg` beside `b.png` becomes `b.jpg.png`.
    Raises HLError for a name that leads out of the folder and for names that come twice.
    """
    stems = []
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise HLError(f"the input holds the name {name!r}, which leads out of --out: rename it")
        stems.append(name.removesuffix(path.suffix) if path.suffix.lower() in PICTURES else name)
    count = Counter(stems)
    stems = [stem if count[stem] == 1 else name for name, stem in zip(names, stems, strict=True)]
    if len(set(stems)) < len(stems):
        raise HLError("the input holds names that come twice: rename them")
    return [f"{stem}{ending}.png" for stem in stems for ending in endings]


def check_folder(out: str | Path, source: str | Path) -> None:
    """Refuse, by HLError, a folder that is a file, or in which inputs would be overwritten."""
    out, source = out_folder(out), Path(source).expanduser()
    if not source.exists():  # built-in
        return
    inside = source.resolve() if source.is_dir() else source.resolve().parent
    if out.resolve() == inside or (source.is_dir() and inside in out.resolve().parents):
        raise HLError(
            f"--out {out} lies in the folder of the inputs, {inside}: "
            "choose another, so that they stay"
        )


def _write_all(
    network: Callable[[Tensor], Tensor],
    faces: FaceSet,
    names: list[str],
    out: str | Path,
    device: str | torch.device,
    progress: Progress,
) -> list[Path]:
    """The network's output of all faces as PNGs of these names, one or several of each face."""
    paths = [Path(out).expanduser() / name for name in names]
    written = 0
    for start in progress(range(0, len(faces), BATCH)):
        x = faces.batch(slice(start, start + BATCH), device)
        for picture in to_uint8(network(x)).cpu():
            save_png(paths[written], picture)
            written += 1
    return paths[:written]


def evaluate_files(
    fake: str | Path,
    real: str | Path,
    paired: bool = False,
    metrics: str | None = None,
    seed: int = 0,
    json: str | Path | None = None,
    channel: str = "rgb",
    border: int = 0,
    lo: str | Path | None = None,
    train: str | Path | None = None,
) -> dict:
    """`metrics.evaluate` of sources of pictures; pairs are matched by name.

    The scores are written to the file `json` too. Raises HLError for sources that do not fit.
    """
    from ..metrics.evaluation import evaluate  # here, as torchmetrics takes a second to import

    if json and Path(json).is_dir():
        raise HLError(f"--json {json} is a folder: give the name of a file")
    fakes, reals = _one_side(fake, "--fake"), _one_side(real, "--real")
    los = _one_side(lo, "--lo") if lo else None
    trains = _one_side(train, "--train") if train else None
    if paired:
        reals = in_order_of(fakes, reals)
    if los:
        los = in_order_of(fakes, los, "--lo")
    scores = evaluate(
        fakes,
        reals,
        paired=paired,
        metrics=metrics.split(",") if metrics else None,
        seed=seed,
        channel=channel,
        border=border,
        lo=los,
        train=trains,
    )
    if json:
        finite = {name: _finite(score) for name, score in scores.items()}
        save_json(Path(json), {"fake": str(fake), "real": str(real)} | finite)
    return scores


def _one_side(source: str | Path, flag: str, size: int | None = None, minimum: int = 2) -> FaceSet:
    faces = load_faces(source, size, minimum=minimum)
    if not isinstance(faces, FaceSet):
        raise HLError(f"{flag} {source} holds pairs: ask for {source}:hi or {source}:lo")
    return faces


def _finite(score: dict) -> dict:
    """The score without infinite numbers, which JSON does not have."""
    infinite = [k for k, v in score.items() if isinstance(v, float) and not math.isfinite(v)]
    return score | dict.fromkeys(infinite)


def in_order_of(fakes: FaceSet, reals: FaceSet, flag: str = "--paired") -> FaceSet:
    """The real pictures in the order of the fakes, by name without the ending.

    Raises HLError where one has no partner.
    """
    place = {PurePosixPath(name).with_suffix(""): i for i, name in enumerate(reals.names)}
    wanted = [PurePosixPath(name).with_suffix("") for name in fakes.names]
    lonely = [name for name, key in zip(fakes.names, wanted, strict=True) if key not in place]
    if lonely or len(fakes) != len(reals):
        what = f"{lonely[0]} has no partner" if lonely else "some of the others have no partner"
        raise HLError(
            f"{flag} needs pictures of the same names on both sides, "
            f"got {len(fakes)} and {len(reals)} ({what}): rename or remove some, "
            f"or leave {flag} out"
        )
    return reals[[place[key] for key in wanted]]


# ---- the demo ------------------------------------------------------------------------------------
def demo(
    out: str | Path,
    h2l: str | Path = "h2l",
    l2h: str | Path = "l2h",
    device: str | torch.device = "cpu",
) -> Iterator[Path]:
    """The whole pipeline on faces:test: what H2L makes of HR, what L2H makes of LR faces, scores.

    Yields each file when it is written: degradation.png, restoration.png, scores.json.
    """
    from ..metrics.evaluation import evaluate

    out = out_folder(out)
    degrader = load_weights(h2l, stage="h2l", device=device)
    restorer = load_weights(l2h, stage="l2h", device=device)
    hi, lo = (side.batch(device=device) for side in load_faces("faces:test"))
    shown = np.linspace(0, len(hi) - 1, N_SHOWN).astype(int)
    degraded = degrade(degrader, hi[shown], N_SHOWN_Z)
    rows = {"HR": hi[shown]}
    rows |= {f"H2L, z {k}": degraded[:, k] for k in range(N_SHOWN_Z)}
    rows |= {"camera": lo[shown], "bilinear": bilinear(hi[shown])}
    save_png(out / "degradation.png", sheet(rows))
    yield out / "degradation.png"
    restored = {"bicubic": enlarged(lo, hi.shape[-1]), "ours": upscale(restorer, lo)}
    rows = {"LR": lo[shown]}
    rows |= {method: x[shown] for method, x in restored.items()}
    rows |= {"ground truth": hi[shown]}
    save_png(out / "restoration.png", sheet(rows))
    yield out / "restoration.png"
    about = {"set": "faces:test", "pairs": len(hi), "h2l": str(h2l), "l2h": str(l2h)}
    scores = {method: evaluate(x, hi, paired=True) for method, x in restored.items()}
    save_json(out / "scores.json", about | scores)
    yield out / "scores.json"


def sheet(rows: dict[str, Tensor], tile: int = 96, margin: int = 84) -> Tensor:
    """Labelled rows of images in [-1, 1], each enlarged to `tile` pixels -> uint8 (3, H, W)."""
    n = max(len(row) for row in rows.values())
    pitch = tile + 2
    canvas = Image.new("RGB", (margin + n * pitch, len(rows) * pitch), "white")
    draw = ImageDraw.Draw(canvas)
    for y, (label, row) in enumerate(rows.items()):
        draw.text((6, y * pitch + tile // 2 - 6), label, fill="black")
        for x, picture in enumerate(to_uint8(row).cpu().numpy()):
            image = Image.fromarray(picture.transpose(1, 2, 0))
            image = image.resize((tile, tile), Image.Resampling.NEAREST)
            canvas.paste(image, (margin + x * pitch, y * pitch))
    return torch.from_numpy(np.array(canvas).transpose(2, 0, 1))
