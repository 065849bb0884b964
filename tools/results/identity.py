"""For maintainers: does a face recogniser tell these faces apart at 64x64?
(`results/identity.json`)

    pip install dlib-bin face_recognition_models      in a venv of its own: 100 MB, and 0.2 s a face
    python tools/results/identity.py [--out results] [--n 150]

dlib's descriptor (128 numbers), a fixed box and its five landmarks on the face enlarged to 256x256.
A pair is an HR face of faces:val and another picture: of the same face (framed, lit or degraded
anew, or restored from its LR picture), or of somebody else's. AUC: how often the same one lies
nearer; beside it that of Lite0's features and of 16x16 pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import hlgan_lib as hl
from hlgan_lib.data.faces import to_uint8
from hlgan_lib.data.sampling import augment
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.degradations.optics import blur, gaussian
from hlgan_lib.errors import HLError
from hlgan_lib.files import save_json, user_path
from hlgan_lib.metrics.features import extract
from hlgan_lib.metrics.protocols import jpeg_file
from hlgan_lib.networks.baselines import enlarged

ROOT = Path(__file__).resolve().parents[2]


def views(n: int) -> dict[str, torch.Tensor]:
    """Other pictures of n validation faces, in [-1, 1]."""
    hi, lo = (side.batch(slice(0, n)) for side in hl.load_faces("faces:val"))
    g = torch.Generator().manual_seed(0)
    framed = augment(hi, g, flip=True, scale=0.1, rotate_deg=10)
    gamma = torch.empty(n, 1, 1, 1).uniform_(0.6, 1.7, generator=g)
    cast = torch.empty(n, 3, 1, 1).uniform_(0.85, 1.15, generator=g)
    lit = (((framed + 1) / 2).clamp(1e-4, 1) ** gamma * cast).clamp(0, 1) * 2 - 1
    sigma = torch.full((n,), 1.2)
    noisy = blur(lit, gaussian(sigma, sigma, 0 * sigma, 4))
    noisy = (noisy + 0.06 * torch.randn(noisy.shape, generator=g)).clamp(-1, 1)
    restored = {f"restored by {w}": hl.upscale(w, lo) for w in ("l2h", "l2h-pixel", "l2h-bilinear")}
    return {
        "truth": hi,
        "framed": framed,
        "framed, lit": lit,
        "framed, lit, spoilt": jpeg_file((noisy + 1) / 2, 40) * 2 - 1,
        **restored,
        "bicubic": enlarged(lo),
        "restored by l2h-bilinear, clean input": hl.upscale("l2h-bilinear", pool(hi)),
    }


def model(name: str) -> str:
    """The path of one of dlib's models. Raises HLError where their package is not installed."""
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise HLError("face_recognition_models is missing: pip install it, and dlib-bin")
    return str(Path(spec.origin).parent / "models" / name)


def marked(faces: torch.Tensor) -> Iterator[tuple[np.ndarray, Any]]:
    """Each face as uint8 (256, 256, 3), and dlib's five landmarks of it."""
    import dlib

    marks = dlib.shape_predictor(model("shape_predictor_5_face_landmarks.dat"))
    box = dlib.rectangle(40, 56, 216, 232)
    for picture in to_uint8(faces).permute(0, 2, 3, 1).numpy():
        large = np.array(Image.fromarray(picture).resize((256, 256), Image.Resampling.BICUBIC))
        yield large, marks(large, box)


def descriptors(faces: torch.Tensor) -> np.ndarray:
    """dlib's descriptor of each face, (N, 128)."""
    import dlib

    net = dlib.face_recognition_model_v1(model("dlib_face_recognition_resnet_model_v1.dat"))
    return np.stack([np.array(net.compute_face_descriptor(*both)) for both in marked(faces)])


def auc(a: np.ndarray, b: np.ndarray, rounds: int = 200) -> dict[str, float | list[float]]:
    """How often b[i] lies nearer to a[i] than b[j] does, with a bootstrap interval over faces."""
    distances, rng = np.linalg.norm(a[:, None] - b[None], axis=-1), np.random.default_rng(0)

    def one(i: np.ndarray) -> float:
        d = distances[np.ix_(i, i)]
        other = np.sort(d[i[:, None] != i[None]])
        return float(1 - np.mean(np.searchsorted(other, np.diag(d), "right")) / len(other))

    boot = [one(rng.integers(len(a), size=len(a))) for _ in range(rounds)]
    return {
        "auc": round(one(np.arange(len(a))), 3),
        "ci": np.quantile(boot, [0.025, 0.975]).round(3).tolist(),
    }


@torch.no_grad()
def identity(out: Path = ROOT / "results", n: int = 150) -> None:
    """Measure every view by every feature and write out/identity.json."""
    sets = views(n)
    features = {
        "dlib": descriptors,
        "lite0": lambda x: extract((x + 1) / 2).numpy(),
        "pixels": lambda x: pool(x).flatten(1).double().numpy(),
    }
    scores = {name: {k: f(x) for k, x in sets.items()} for name, f in features.items()}
    rows = {
        k: {name: auc(s["truth"], s[k]) for name, s in scores.items()} for k in sets if k != "truth"
    }
    save_json(out / "identity.json", {"set": "faces:val", "n": n, "views": rows})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_path, default=ROOT / "results")
    parser.add_argument("--n", type=int, default=150, help="faces of faces:val")
    args = parser.parse_args()
    identity(args.out, args.n)
