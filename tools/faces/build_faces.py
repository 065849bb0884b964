"""Build the shipped faces from the 5,000 sources of 160 pixels.

    python tools/faces/build_faces.py SOURCES [--out DIR]

Crops with random framing, takes the LR pictures with degradations.Camera, writes mosaics, camera
parameters and meta.json. Every draw is seeded by the face's number, so the same sources and
versions give the same files.
"""

from __future__ import annotations

import argparse
import hashlib
from math import cos, radians, sin
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hlgan_lib.degradations.camera import Camera
from hlgan_lib.files import save_json, user_path

SPLITS = {
    "train-hi": range(3000),
    "train-lo": range(3000, 4200),
    "val": range(4200, 4400),
    "test": range(4400, 5000),
}
SHOTS = {"train-lo": 4}  # pictures of each person, one elsewhere
COLUMNS = 50
SEED = 20261123
BOX = (16.25, 22.5, 143.75, 150.0)  # the face in the 160-pixel source: left, top, right, bottom
SHIFT, SCALE, ROTATE = (
    0.04,
    (0.92, 1.08),
    6.0,
)  # share of the side, factor, degrees: the same in every split
JPEG_QUALITY = 95
CAMERA_BATCH = 200


def framing(index: int, shot: int) -> list[tuple[float, float]]:
    """The corners of one crop in the source (top left, bottom left, bottom right, top right), all
    inside the picture.

    Drawn again until they are: what lies beyond the source would have to be invented.
    """
    r = np.random.default_rng([SEED, index, shot])
    side, x0, y0 = BOX[2] - BOX[0], (BOX[0] + BOX[2]) / 2, (BOX[1] + BOX[3]) / 2
    while True:
        x, y = x0 + side * r.uniform(-SHIFT, SHIFT), y0 + side * r.uniform(-SHIFT, SHIFT)
        half, angle = side / 2 / r.uniform(*SCALE), radians(r.uniform(-ROTATE, ROTATE))
        c, s = half * cos(angle), half * sin(angle)
        corners = [
            (x + u * c - v * s, y + u * s + v * c) for u, v in ((-1, -1), (-1, 1), (1, 1), (1, -1))
        ]
        if all(0 <= p <= 160 for corner in corners for p in corner):
            return corners


def crop(image: Image.Image, index: int, shot: int) -> Image.Image:
    """The framed 64x64 face.

    Cubic interpolation on a grid twice as fine as the source, then LANCZOS.
    """
    quad = [p for corner in framing(index, shot) for p in corner]
    fine = image.transform((256, 256), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    return fine.resize((64, 64), Image.Resampling.LANCZOS)


def mosaic(tiles: np.ndarray) -> Image.Image:
    """Tiles (N, s, s, 3) side by side, COLUMNS in a row.

    s divides by 8, so that no JPEG block holds two.
    """
    n, s = len(tiles), tiles.shape[1]
    grid = tiles.reshape(n // COLUMNS, COLUMNS, s, s, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(grid.reshape(n // COLUMNS * s, COLUMNS * s, 3))


def untile(image: Image.Image, s: int) -> np.ndarray:
    a = np.asarray(image)
    grid = a.reshape(a.shape[0] // s, s, a.shape[1] // s, s, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, s, s, 3)


def taken(hi: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """LR pictures (N, 16, 16, 3) of faces (N, 64, 64, 3) and the parameters of each shot."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(hi).permute(0, 3, 1, 2).float() / 127.5 - 1
    shots = [Camera()(part, generator) for part in x.split(CAMERA_BATCH)]
    lo = torch.cat([shot.lo for shot in shots])
    params = {}
    for key in shots[0].params:
        params[key] = torch.cat([shot.params[key] for shot in shots]).numpy()
    return ((lo + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy(), params


def build(sources: Path, out: Path) -> dict:
    """Write every split; return the meta data."""
    out.mkdir(parents=True, exist_ok=True)
    meta: dict[str, Any] = {
        "columns": COLUMNS,
        "seed": SEED,
        "framing": {"shift": SHIFT, "scale": SCALE, "rotate_deg": ROTATE},
        "camera": vars(Camera()).copy(),
        "camera_batch": CAMERA_BATCH,
        "splits": {},
        "sha256": {},
    }
    for split, indices in SPLITS.items():
        shots = SHOTS.get(split, 1)
        faces = []
        for i in indices:
            with Image.open(sources / f"{i:05d}.jpg") as image:
                faces += [np.asarray(crop(image, i, k)) for k in range(shots)]
        hi, files = np.stack(faces), {}
        if split != "train-lo":
            files["hi"] = f"{split}-hi.jpg".replace("hi-hi", "hi")
            mosaic(hi).save(out / files["hi"], quality=JPEG_QUALITY, subsampling=0, optimize=True)
            with Image.open(out / files["hi"]) as image:
                hi = untile(image, 64)  # the camera sees exactly the ground truth that is shipped
        if split != "train-hi":
            files["lo"] = f"{split}-lo.png".replace("lo-lo", "lo")
            lo, params = taken(hi, SEED + indices.start)
            mosaic(lo).save(out / files["lo"], optimize=True)
        if len(files) == 2:
            files["params"] = f"{split}-params.npz"
            np.savez_compressed(out / files["params"], **params)
        meta["splits"][split] = {
            "first": indices.start,
            "people": len(indices),
            "shots": shots,
            "camera_seed": SEED + indices.start,
            **files,
        }
        for file in files.values():
            meta["sha256"][file] = hashlib.sha256((out / file).read_bytes()).hexdigest()
    save_json(out / "meta.json", meta)
    return meta


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sources", type=user_path, help="folder with 00000.jpg ... 04999.jpg, 160x160"
    )
    parser.add_argument(
        "--out", type=user_path, default=Path(__file__).parents[2] / "hlgan_lib" / "faces"
    )
    args = parser.parse_args()
    for file in build(args.sources, args.out)["sha256"]:
        print(f"{(args.out / file).stat().st_size / 1e6:6.2f} MB  {file}")


if __name__ == "__main__":
    main()
