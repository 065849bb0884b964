"""Trained networks on files: a folder degraded, a folder upscaled, pictures measured, the demo."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..data.faces import FaceSet, to_float, to_uint8
from ..data.folder import OVERVIEW, check_apart
from ..data.loading import load_faces, sizes_of
from ..data.matching import without_ending
from ..data.pictures import read_image, to_array
from ..degradations.handmade import bilinear
from ..errors import HLError
from ..files import atomic, out_folder, save_json, save_png, user_path
from ..inference import H2L, Weights, degrade, load_weights, new_z, upscale
from ..networks.baselines import enlarged
from ..prepare.detector import NO_FACE
from ..prepare.photograph import Found, find_faces
from ..rng import seeded
from ..text import shown as printable
from . import outputs

BATCH = 64
N_SHOWN, N_SHOWN_Z = 8, 4
TRUST = "trust.csv"
SHEET, FACES_SHEET = OVERVIEW, f"-{OVERVIEW}"
ADD_FIT = (
    "did you mix up HR and LR? Larger ones: add --fit to crop and reduce them (nothing is "
    "enlarged), or find their faces with --faces PHOTOGRAPH"
)
Device = str | torch.device
Progress = Callable[[Iterable], Iterable]  # wraps the batches, to show how far the work is
LONGEST = 255  # bytes of a file's name, of every usual file system


def degrade_files(
    weights: str | Path,
    source: str | Path,
    out: str | Path,
    n_z: int = 1,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
    overwrite: bool = False,
) -> list[Path]:
    """Degrade every image of `source` as H2L has learned, n_z times; PNGs keep the files' names.

    Raises HLError before anything is written where weights, pictures or folder cannot be right.
    """
    if n_z < 1:
        raise HLError(f"--n-z must be 1 or more, got {n_z}")
    folder = check_folder(out, source)
    h2l = cast(H2L, load_weights(weights, stage="h2l", device=device))
    hi = load_faces(source, None if _is_built_in(source) else h2l.cfg.size_hi, role="hi", minimum=1)
    _check_size(hi, h2l.cfg.size_hi, source)
    names = output_names(hi.names, [f"_z{k}" for k in range(n_z)] if n_z > 1 else [""])
    generator = seeded(seed, device)

    @torch.no_grad()
    def degraded(x: Tensor) -> Tensor:
        z = new_z(h2l, len(x) * n_z, generator)
        return h2l(x.repeat_interleave(n_z, 0), z)

    paths = _claimed("degrade", hi, names, folder, overwrite)
    _write_all("degrade", degraded, hi, paths, folder, device, progress)
    return paths


def upscale_files(
    weights: Weights,
    source: str | Path | FaceSet,
    out: str | Path,
    fit: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
    overwrite: bool = False,
    sheet: bool = False,
) -> list[Path]:
    """Restore every LR image of `source`; PNGs keep the names of the files.

    Images of another size than the network's are refused, or with `fit` centre-cropped and reduced;
    nothing is enlarged. With `sheet` one more file, SHEET (see `write_sheet`). Raises HLError
    before anything is written where weights, images or folder cannot be right.
    """
    folder = check_folder(out, source)
    l2h: Any = load_weights(weights, stage="l2h", device=device)
    lo = load_lo(source, l2h.cfg.size_lo, fit)
    names = output_names(lo.names, [""])
    beside = [SHEET] if sheet else []
    paths, more = _claimed_with("upscale", lo, names, beside, folder, overwrite)
    _write_all("upscale", torch.no_grad()(l2h), lo, paths, folder, device, progress)
    for page in more:
        write_sheet(page, lo, paths)
    return paths


def upscale_with_trust(
    weights: Weights,
    h2l: str | Path,
    source: str | Path | FaceSet,
    out: str | Path,
    fit: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = iter,
    overwrite: bool = False,
    sheet: bool = False,
) -> tuple[list[Path], list[str]]:
    """`upscale_files`, and trust.csv beside the images (see `write_trust`).

    h2l: the stage one that l2h was trained with. Returns the files and the doubtful names. Raises
    HLError as `upscale_files`.
    """
    # Here, as metrics take a second to import.
    from ..reliability.trust import calibration_of, trust, write_trust

    folder = check_folder(out, source)
    restorer: Any = load_weights(weights, stage="l2h", device=device)
    nets = restorer, load_weights(h2l, stage="h2l", device=device)
    lo = load_lo(source, restorer.cfg.size_lo, fit)
    names = output_names(lo.names, [""])
    calibration = calibration_of(*nets, device=device)
    judged = []

    def restore(x: Tensor) -> Tensor:
        judged.append(trust(*nets, x, calibration))
        return judged[-1].restored

    beside = [TRUST, SHEET] if sheet else [TRUST]
    paths, (table, *more) = _claimed_with("upscale", lo, names, beside, folder, overwrite)
    _write_all("upscale", restore, lo, paths, folder, device, progress)
    doubtful = write_trust(table, names, judged)
    outputs.record("upscale", folder, [table])
    for page in more:
        write_sheet(page, lo, paths)
    return paths, doubtful


def find_in_photograph(
    weights: Weights,
    photo: str | Path,
    out: str | Path,
    device: Device = "cpu",
    overwrite: bool = False,
) -> Found:
    """The faces of a photograph, cut as LR images for these weights.

    Raises HLError where there are none, where their sheet may not be written, as `find_faces`.
    """
    folder = check_folder(out, photo)
    outputs.claim("upscale", folder, [sheet_path(photo, folder)], overwrite=overwrite)
    l2h: Any = load_weights(weights, stage="l2h", device=device)
    found = find_faces(photo, l2h.cfg.size_lo)
    if not found.boxes:
        why = f" ({found.skipped[0][0]}: {found.skipped[0][1]})" if found.skipped else ""
        raise HLError(
            f"--faces {photo}: {NO_FACE}{why}: cut one out by hand and give it as --input with "
            "--fit"
        )
    return found


def sheet_path(photo: str | Path, folder: Path) -> Path:
    """Where the sheet of a photograph's faces goes."""
    return folder / f"{user_path(photo).stem}{FACES_SHEET}"


def save_faces_sheet(found: Found, written: list[Path], out: str | Path) -> Path:
    """One picture beside the restored faces: the photograph, numbered, and a column a face."""
    folder = out_folder(out)
    path = sheet_path(found.faces.source, folder)
    restored = np.stack([to_array(read_image(file)) for file in written])
    size = restored.shape[-1]
    sides = {
        "photograph": found.cut(size).images,
        f"{found.faces.size[0]} pixels": found.faces.images,
        "restored": restored,
    }
    parts = [found.numbered()]
    for first in range(0, len(written), N_SHOWN):
        chosen = slice(first, first + N_SHOWN)
        rows = {}
        for label, images in sides.items():
            rows[label] = to_float(torch.from_numpy(images[chosen].copy()))
        numbers = [str(number) for number in range(1, len(written) + 1)][chosen]
        pixels = sheet(rows, heads=numbers).numpy().transpose(1, 2, 0)
        parts.append(Image.fromarray(pixels))
    whole = Image.new("RGB", (max(p.width for p in parts), sum(p.height for p in parts)), "white")
    y = 0
    for part in parts:
        whole.paste(part, (0, y))
        y += part.height
    atomic(path, lambda file: whole.save(file, "png"))
    outputs.record("upscale", folder, [path])
    return path


def load_lo(source: str | Path | FaceSet, size: int, fit: bool) -> FaceSet:
    """LR images that are size x size already, or made so where `fit`."""
    if isinstance(source, FaceSet):
        return source
    if _is_built_in(source):
        lo = load_faces(source, role="lo")
    elif fit:
        lo = _one_side(source, "--input", size, minimum=1)
    else:
        _check_heads(source, size)
        lo = _one_side(source, "--input", minimum=1)
    _check_size(lo, size, source, ADD_FIT)
    return lo


def _check_heads(source: str | Path, size: int) -> None:
    """Refuse pictures of another size by their heads: large ones would take the memory first."""
    others = [found for found in sizes_of(source) if found != (size, size)]
    if others:
        width, height = others[0]
        holds = f"{width}x{height} pictures" if len(others) == 1 else "pictures of several sizes"
        raise HLError(f"--input {source} holds {holds}, the network takes {size}x{size}: {ADD_FIT}")


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
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise HLError(f"the input holds the name {name}, which leads out of --out: rename it")
    stems = [without_ending(name) for name in names]
    count = Counter(stems)
    stems = [stem if count[stem] == 1 else name for name, stem in zip(names, stems, strict=True)]
    made = [f"{stem}{ending}.png" for stem in stems for ending in endings]
    name, n = Counter(made).most_common(1)[0]
    if n > 1:
        raise HLError(f"two pictures of the input would be written as {name}: rename one of them")
    for name in made:
        if any(len(os.fsencode(part)) > LONGEST for part in PurePosixPath(name).parts):
            raise HLError(f"a name longer than {LONGEST} bytes would be written, {name}: rename it")
    return made


def check_folder(out: str | Path, source: str | Path | FaceSet) -> Path:
    """The folder of the outputs. HLError where it is a file, or lies among the inputs."""
    folder = out_folder(out)
    check_apart(folder, source.source if isinstance(source, FaceSet) else source)
    return folder


def _claimed(
    command: str, faces: FaceSet, names: list[str], folder: Path, overwrite: bool
) -> list[Path]:
    """The paths of the outputs, each of which may be written."""
    paths = [folder / name for name in names]
    inputs = [Path(faces.source) / name for name in faces.names]
    outputs.claim(command, folder, paths, overwrite=overwrite, inputs=inputs)
    return paths


def _claimed_with(
    command: str,
    faces: FaceSet,
    names: list[str],
    beside: list[str],
    folder: Path,
    overwrite: bool,
) -> tuple[list[Path], list[Path]]:
    """As `_claimed`, with files beside the images, whose names no image may have."""
    for name in beside:
        if name in names:
            raise HLError(
                f"the input holds an image that would be written as {name}, as is the overview: "
                "rename it"
            )
    paths = _claimed(command, faces, [*names, *beside], folder, overwrite)
    return paths[: len(names)], paths[len(names) :]


def write_sheet(path: Path, lo: FaceSet, written: list[Path]) -> None:
    """One page: LR, bicubic enlargement and what was written, of N_SHOWN images, evenly spaced."""
    shown = evenly(len(lo))
    pictures = [torch.from_numpy(to_array(read_image(written[k])).copy()) for k in shown]
    restored = to_float(torch.stack(pictures))
    small = lo[shown].batch()
    rows = {"LR": small, "bicubic": enlarged(small, restored.shape[-1]), "restored": restored}
    save_png(path, sheet(rows))
    outputs.record("upscale", path.parent, [path])


def evenly(n: int) -> list[int]:
    """N_SHOWN of n images, or all where there are fewer."""
    return np.linspace(0, n - 1, min(N_SHOWN, n)).astype(int).tolist()


def _write_all(
    command: str,
    network: Callable[[Tensor], Tensor],
    faces: FaceSet,
    paths: list[Path],
    folder: Path,
    device: str | torch.device,
    progress: Progress,
) -> None:
    """The network's output of all faces as PNGs, one or several of each face."""
    n_each = len(paths) // len(faces)
    for start in progress(range(0, len(faces), BATCH)):
        x = faces.batch(slice(start, start + BATCH), device)
        batch = paths[start * n_each : (start + BATCH) * n_each]
        done = 0
        try:
            for path, picture in zip(batch, to_uint8(network(x)).cpu(), strict=True):
                save_png(path, picture)
                done += 1
        finally:
            outputs.record(command, folder, batch[:done])


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
    overwrite: bool = False,
) -> dict:
    """`metrics.evaluate` of sources of pictures; pairs are matched by name.

    The scores are written to the file `json` too. Raises HLError for sources that do not fit.
    """
    from ..metrics.evaluation import evaluate  # here, as torchmetrics takes a second to import

    file = user_path(json) if json else None
    if file:
        if file.is_dir():
            raise HLError(f"--json {json} is a folder: give the name of a file")
        check_apart(file, fake, real, lo, train, flag="--json")
        outputs.claim("evaluate", file.parent, [file], overwrite=overwrite)
    _check_alike(fake, real)
    fakes, reals = _one_side(fake, "--fake"), _one_side(real, "--real")
    los = _one_side(lo, "--lo") if lo else None
    trains = _one_side(train, "--train") if train else None
    scores = evaluate(
        fakes,
        reals,
        paired=paired,
        metrics=[name.strip().lower() for name in metrics.split(",")] if metrics else None,
        seed=seed,
        channel=channel,
        border=border,
        lo=los,
        train=trains,
    )
    if file:
        save_json(file, {"fake": printable(fake), "real": printable(real)} | scores)
        outputs.record("evaluate", file.parent, [file])
    return scores


def _check_alike(fake: str | Path, real: str | Path) -> None:
    """Refuse two folders of pictures of different sizes before any picture is decoded."""
    a, b = sizes_of(fake), sizes_of(real)
    if len(a) == len(b) == 1 and a.keys() != b.keys():
        (width, height), (real_width, real_height) = *a, *b
        raise HLError(
            f"--fake and --real must hold pictures of one size, got {width}x{height} and "
            f"{real_width}x{real_height}: did you mix up hi and lo?"
        )


def _one_side(source: str | Path, flag: str, size: int | None = None, minimum: int = 2) -> FaceSet:
    faces = load_faces(source, size, minimum=minimum)
    if not isinstance(faces, FaceSet):
        raise HLError(f"{flag} {source} holds pairs: ask for {source}:hi or {source}:lo")
    return faces


# ---- the demo ------------------------------------------------------------------------------------
def demo(
    out: str | Path,
    h2l: str | Path = "h2l",
    l2h: str | Path = "l2h",
    device: str | torch.device = "cpu",
    overwrite: bool = False,
) -> Iterator[Path]:
    """The whole pipeline on faces:test: what H2L makes of HR, what L2H makes of LR faces, scores.

    Yields each file when it is written. The sheet that shows what it is about comes first, of few
    faces: restoration.png, degradation.png, scores.json.
    """
    from ..metrics.evaluation import evaluate

    folder = out_folder(out)
    names = ("degradation.png", "restoration.png", "scores.json")
    degradation, restoration, table = [folder / name for name in names]
    outputs.claim("demo", folder, [degradation, restoration, table], overwrite=overwrite)

    def written(path: Path) -> Path:
        outputs.record("demo", folder, [path])
        return path

    degrader = load_weights(h2l, stage="h2l", device=device)
    restorer = load_weights(l2h, stage="l2h", device=device)
    hi, lo = (side.batch(device=device) for side in load_faces("faces:test"))
    shown = evenly(len(hi))
    rows = {
        "LR": lo[shown],
        "bicubic": enlarged(lo[shown], hi.shape[-1]),
        "ours": upscale(restorer, lo[shown]),
        "ground truth": hi[shown],
    }
    save_png(restoration, sheet(rows))
    yield written(restoration)

    degraded = degrade(degrader, hi[shown], N_SHOWN_Z)
    rows = {"HR": hi[shown]}
    rows |= {f"H2L, z {k}": degraded[:, k] for k in range(N_SHOWN_Z)}
    rows |= {"camera": lo[shown], "bilinear": bilinear(hi[shown])}
    save_png(degradation, sheet(rows))
    yield written(degradation)

    restored = {"bicubic": enlarged(lo, hi.shape[-1]), "ours": upscale(restorer, lo)}
    about = {"set": "faces:test", "pairs": len(hi), "h2l": printable(h2l), "l2h": printable(l2h)}
    scores = {method: evaluate(x, hi, paired=True) for method, x in restored.items()}
    save_json(table, about | scores)
    yield written(table)


def sheet(
    rows: dict[str, Tensor], tile: int = 96, margin: int = 84, heads: Sequence[str] = ()
) -> Tensor:
    """Labelled rows of images in [-1, 1], each enlarged to `tile` pixels -> uint8 (3, H, W).

    heads: what stands above the columns.
    """
    n = max(len(row) for row in rows.values())
    pitch = tile + 2
    top = 18 if heads else 0
    canvas = Image.new("RGB", (margin + n * pitch, top + len(rows) * pitch), "white")
    draw = ImageDraw.Draw(canvas)
    for x, head in enumerate(heads):
        draw.text((margin + x * pitch + tile // 2, top // 2), head, fill="black", anchor="mm")
    for y, (label, row) in enumerate(rows.items()):
        draw.text((6, top + y * pitch + tile // 2 - 6), label, fill="black")
        for x, picture in enumerate(to_uint8(row).cpu().numpy()):
            image = Image.fromarray(picture.transpose(1, 2, 0))
            image = image.resize((tile, tile), Image.Resampling.NEAREST)
            canvas.paste(image, (margin + x * pitch, top + y * pitch))
    return torch.from_numpy(np.array(canvas).transpose(2, 0, 1))
