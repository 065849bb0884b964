"""Make the sources of the shipped faces anew.

    python tools/faces/make_faces.py OUT [--first 0] [--count 5000]

Optional and never needed at run time. In an environment of its own:
    pip install numpy pillow && pip install --no-deps random_face==2021.7.21.1 openvino==2026.4.1
`--check DIR` also compares each face with the picture of the same number in DIR. About 0.8 s a face
on two cores; torchfaces.py makes the same faces on a GPU, without openvino.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image


def network_files() -> Path:
    """The folder of the package random_face that holds the two networks."""
    spec = importlib.util.find_spec("random_face")
    if spec is None or spec.origin is None:
        raise SystemExit("needs random_face: pip install --no-deps random_face==2021.7.21.1")
    return Path(spec.origin).parent / "data"


def drawn(index: int) -> tuple[np.ndarray, np.float32]:
    """What decides face `index`: z (1, 512), and how far its style goes from the mean one."""
    r = np.random.default_rng([20261122, index])
    return r.standard_normal((1, 512)).astype(np.float32), np.float32(r.uniform(0.55, 0.85))


def many_z() -> np.ndarray:
    """The z (4096, 512) whose styles make the mean one."""
    r = np.random.default_rng(0)
    return np.concatenate([r.standard_normal((512, 512)).astype(np.float32) for _ in range(8)])


class Generator:
    """MobileStyleGAN (Belousov, arXiv 2104.04767), its two network files read straight from the
    package random_face.
    """

    def __init__(self) -> None:
        import openvino

        data = network_files()
        core = openvino.Core()
        exact = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors would take bfloat16
        mapping = core.read_model(data / "MappingNetwork.xml")
        synthesis = core.read_model(data / "SynthesisNetwork.xml")
        self.mapping = core.compile_model(mapping, "CPU", exact)
        self.synthesis = core.compile_model(synthesis, "CPU", exact)
        self.mean = np.mean([self.style(one[None]) for one in many_z()], axis=0)

    def style(self, z: np.ndarray) -> np.ndarray:
        return self.mapping([z])[self.mapping.output(0)].reshape(1, 512).copy()

    def face(self, index: int) -> Image.Image:
        """Face `index` as 1024x1024 RGB: style = mean + a (mapping(z) - mean), a in 0.55..0.85."""
        z, a = drawn(index)
        style = self.mean + a * (self.style(z) - self.mean)
        x = self.synthesis({"style": style.astype(np.float32)})[self.synthesis.output(0)][0]
        levels = ((np.clip(x, -1, 1) + 1) * 127.5 + 0.5).astype(np.uint8)
        return Image.fromarray(levels.transpose(1, 2, 0).copy())


def write(face: Image.Image, path: Path) -> None:
    """Reduce to 256, JPEG 96, reduce to 160, JPEG 95, both with full chroma.

    The steps of the sources.
    """
    half = path.with_suffix(".256.jpg")
    face.resize((256, 256), Image.Resampling.LANCZOS).save(half, quality=96, subsampling=0)
    with Image.open(half) as image:
        image.resize((160, 160), Image.Resampling.LANCZOS).save(path, quality=95, subsampling=0)
    half.unlink()


def agreement(a: Path, b: Path) -> tuple[int, float]:
    """Largest difference of two pictures in levels of 255, and their PSNR in dB."""
    with Image.open(a) as first, Image.open(b) as second:
        d = np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64))
    return int(d.max()), float(10 * np.log10(255**2 / (d**2).mean())) if d.any() else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument(
        "--indices", type=int, nargs="+", help="these faces, in place of --first and --count"
    )
    parser.add_argument("--check", type=Path, metavar="DIR", help="compare with DIR/iiiii.jpg")
    args = parser.parse_args()
    missing = [
        name for name in ("random_face", "openvino") if importlib.util.find_spec(name) is None
    ]
    if missing:
        parser.error(f"needs {' and '.join(missing)}: pip install --no-deps {' '.join(missing)}")
    if args.check and not args.check.is_dir():
        parser.error(f"--check: no such folder: {args.check}")
    args.out.mkdir(parents=True, exist_ok=True)
    generator = Generator()
    for i in args.indices or range(args.first, args.first + args.count):
        path = args.out / f"{i:05d}.jpg"
        write(generator.face(i), path)
        if args.check:
            largest, psnr = agreement(path, args.check / path.name)
            print(f"{path.name}  largest difference {largest}  PSNR {psnr:.1f} dB")


if __name__ == "__main__":
    main()
