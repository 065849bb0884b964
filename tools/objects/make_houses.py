"""Made pictures of houses, for trying the library on something that is no face.

    python tools/objects/make_houses.py OUT           hi/, lo/ of other houses, test-hi/, test-lo/

House i is drawn of seed [SEED, i] alone: walls of bricks or planks, a roof, windows, a door.
The LR images are old prints, scanned (`scan` of hlgan_lib.degradations.other_cameras): JPEG first,
then a fade, a cast, blur and noise; of the training houses nobody sees both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from hlgan_lib.data.faces import to_float, to_uint8
from hlgan_lib.data.pictures import fit, to_array, to_image
from hlgan_lib.degradations.other_cameras import scan
from hlgan_lib.files import user_path

SEED = 20261126
DRAWN, SIDE = 256, 96  # pixels: drawn, then reduced, so that edges are smooth
Colour = tuple[int, int, int]


def colour(rng: np.random.Generator, low: tuple, high: tuple) -> Colour:
    """A colour between two."""
    r, g, b = rng.uniform(low, high)
    return int(r), int(g), int(b)


def shade(of: Colour, by: float) -> Colour:
    """Lighter or darker."""
    r, g, b = (int(min(255, max(0, v * by))) for v in of)
    return r, g, b


def house(i: int) -> Image.Image:
    """House number i, an RGB image of SIDE pixels."""
    rng = np.random.default_rng([SEED, i])
    image = sky(rng)
    draw = ImageDraw.Draw(image)
    ground = int(rng.uniform(0.76, 0.9) * DRAWN)
    draw.rectangle((0, ground, DRAWN, DRAWN), fill=colour(rng, (60, 80, 40), (150, 150, 110)))

    # The body, which fills most of the picture.
    w, h = int(rng.uniform(0.5, 0.8) * DRAWN), int(rng.uniform(0.3, 0.5) * DRAWN)
    left = int((DRAWN - w) / 2 + rng.uniform(-0.06, 0.06) * DRAWN)
    top = ground - h
    wall = colour(rng, (120, 70, 50), (240, 225, 205))
    draw.rectangle((left, top, left + w, ground), fill=wall)
    rows_of(draw, (left, top, left + w, ground), wall, rng)
    roof(draw, left, top, w, rng)

    # Storeys of windows, a door in the lowest.
    n_rows, n_across = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    pane = colour(rng, (60, 80, 100), (160, 190, 210))
    frame = colour(rng, (200, 190, 180), (255, 255, 255))
    door = int(rng.integers(n_across))
    for row in range(n_rows):
        for k in range(n_across):
            x = left + w * (k + 0.25) / n_across
            y = top + h * (row + 0.2) / n_rows
            right, low = x + 0.5 * w / n_across, y + 0.55 * h / n_rows
            if row == n_rows - 1 and k == door:
                paint = colour(rng, (60, 20, 10), (190, 90, 90))
                draw.rectangle(
                    (x, y, right, ground), fill=paint, outline=shade(paint, 0.5), width=3
                )
                draw.ellipse((right - 9, y + 0.4 * h / n_rows, right - 4, y + 0.4 * h / n_rows + 5),
                             fill=(230, 200, 90))  # fmt: skip
            else:
                window(draw, (x, y, right, low), pane, frame, rng)
    if rng.random() < 0.7:
        tree(draw, ground, rng)
    return sunlit(image, rng).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def sky(rng: np.random.Generator) -> Image.Image:
    """A gradient with clouds."""
    high, low = colour(rng, (60, 110, 180), (130, 180, 240)), colour(rng, (190,) * 3, (245,) * 3)
    down = np.linspace(0, 1, DRAWN)[:, None, None]
    pixels = np.array(high) * (1 - down) + np.array(low) * down
    image = Image.fromarray(np.repeat(pixels, DRAWN, 1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 5))):
        x, y, wide = rng.uniform(0, DRAWN), rng.uniform(0, 0.4 * DRAWN), rng.uniform(30, 90)
        draw.ellipse((x, y, x + wide, y + 0.3 * wide), fill=(240, 240, 245))
    return image.filter(ImageFilter.GaussianBlur(4))


def rows_of(draw: ImageDraw.ImageDraw, box: tuple, wall: Colour, rng: np.random.Generator) -> None:
    """Bricks or planks: lines a shade darker."""
    left, top, right, low = box
    pitch, bricks = int(rng.integers(8, 15)), rng.random() < 0.6
    line = shade(wall, rng.uniform(0.6, 0.8))
    for k, y in enumerate(range(top, low, pitch)):
        draw.line((left, y, right, y), fill=line, width=2)
        if bricks:
            for x in range(left + (k % 2) * pitch, right, 2 * pitch):
                draw.line((x, y, x, min(y + pitch, low)), fill=line, width=2)


def roof(draw: ImageDraw.ImageDraw, left: int, top: int, w: int, rng: np.random.Generator) -> None:
    """Pointed, hipped or flat, with lines of tiles; sometimes a chimney."""
    paint = colour(rng, (70, 40, 40), (170, 90, 80)) if rng.random() < 0.6 else (70, 70, 80)
    high = int(rng.uniform(0.12, 0.3) * DRAWN)
    inset = {0: w / 2, 1: w / 4, 2: -6}[int(rng.integers(3))]
    high = 18 if inset < 0 else high
    if rng.random() < 0.6:
        x = left + w * rng.uniform(0.15, 0.8)
        draw.rectangle((x, top - high, x + 20, top), fill=shade(paint, 0.8))
    for k in range(high):
        part = k / high
        x = left - 8 + (inset + 8) * part
        dark = 0.75 if k % 9 < 2 else 1.0
        y = top - k
        draw.line((x, y, 2 * left + w - x, y), fill=shade(paint, dark), width=1)


def window(
    draw: ImageDraw.ImageDraw, box: tuple, pane: Colour, frame: Colour, rng: np.random.Generator
) -> None:
    """A pane that mirrors the sky, its frame and a cross."""
    x, y, right, low = box
    draw.rectangle(box, fill=shade(pane, rng.uniform(0.6, 1.2)), outline=frame, width=4)
    draw.polygon((x + 4, low - 4, x + 4, y + 4, (x + right) / 2, y + 4), fill=shade(pane, 1.3))
    draw.line(((x + right) / 2, y, (x + right) / 2, low), fill=frame, width=3)
    draw.line((x, (y + low) / 2, right, (y + low) / 2), fill=frame, width=3)
    draw.rectangle((x - 3, low, right + 3, low + 5), fill=shade(frame, 0.8))


def tree(draw: ImageDraw.ImageDraw, ground: int, rng: np.random.Generator) -> None:
    """A trunk and leaves at one side."""
    x = DRAWN * (rng.uniform(0.02, 0.18) if rng.random() < 0.5 else rng.uniform(0.82, 0.98))
    high, paint = rng.uniform(70, 150), colour(rng, (30, 70, 20), (110, 140, 60))
    draw.rectangle((x - 5, ground - high, x + 5, ground + 8), fill=(80, 55, 35))
    for _ in range(60):
        dx, dy, r = rng.normal(0, 16), rng.normal(0, 22), rng.uniform(4, 11)
        spot = x + dx - r, ground - high + dy - r, x + dx + r, ground - high + dy + r
        draw.ellipse(spot, fill=shade(paint, rng.uniform(0.6, 1.3)))


def sunlit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light from one side, and a little grain."""
    across = np.linspace(-1, 1, DRAWN)[None, :, None] * rng.uniform(-0.25, 0.25)
    pixels = np.asarray(image) * (1 + across) * rng.uniform(0.85, 1.1)
    pixels += rng.normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def taken(houses: list[Image.Image], size_lo: int, seed: int) -> torch.Tensor:
    """LR images as scanned old prints, uint8 (N, 3, size_lo, size_lo)."""
    hi = np.stack([to_array(fit(image, 4 * size_lo)) for image in houses])
    generator = torch.Generator().manual_seed(seed)
    return to_uint8(scan(to_float(torch.from_numpy(hi)), generator).lo)


def make(out: Path, size_lo: int, n: int, n_test: int) -> None:
    """The four folders: n houses for HR, n others for LR, n_test of which both sides are known."""
    for folder, first, count in (("hi", 0, n), ("lo", n, n), ("test", 2 * n, n_test)):
        houses = [house(i) for i in range(first, first + count)]
        if folder != "lo":
            sharp = out / ("hi" if folder == "hi" else "test-hi")
            sharp.mkdir(parents=True, exist_ok=True)
            for k, image in enumerate(houses):
                image.save(sharp / f"{first + k:05d}.png")
        if folder != "hi":
            low = out / ("lo" if folder == "lo" else "test-lo")
            low.mkdir(parents=True, exist_ok=True)
            for k, picture in enumerate(taken(houses, size_lo, first)):
                to_image(picture.numpy()).save(low / f"{first + k:05d}.png")


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=user_path)
    parser.add_argument("--size-lo", type=int, default=16, help="side of the LR images [pixels]")
    parser.add_argument("--n", type=int, default=600, help="houses a side [images]")
    parser.add_argument("--n-test", type=int, default=150, help="pairs of the test [pairs]")
    asked = parser.parse_args()
    make(asked.out, asked.size_lo, asked.n, asked.n_test)


if __name__ == "__main__":
    main()
