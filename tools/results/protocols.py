"""For maintainers: how far the two protocols drift apart on the same restored faces
(`results/protocols.json`).

python tools/results/protocols.py [--out results] [--n 600]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import hlgan_lib as hl
from hlgan_lib.files import save_json, user_path
from hlgan_lib.metrics.protocols import CLEAN, PAPER, STEPS, one_step
from hlgan_lib.metrics.set_scores import drift
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.viz.canvas import save_figure
from hlgan_lib.viz.charts import drift_figure

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("l2h", "l2h-pixel", "l2h-bilinear")


@torch.no_grad()
def protocols(out: Path = ROOT / "results", n: int = 600) -> dict:
    """Score bicubic and the shipped networks on `faces:test` by both protocols.

    Out/protocols.json and a figure.
    """
    hi, lo = (side.batch(slice(0, n)) for side in hl.load_faces("faces:test"))
    made = {"bicubic": enlarged(lo)}
    made |= {name: hl.upscale(name, lo) for name in SHIPPED if name in hl.shipped_weights()}
    train = hl.load_faces("faces:train-hi")
    scores = drift({name: (x + 1) / 2 for name, x in made.items()}, (hi + 1) / 2, train)
    steps = {p.name: p.steps() for p in (CLEAN, *map(one_step, STEPS), PAPER)}
    stored = {
        "about": {
            "test": "faces:test",
            "n": len(hi),
            "train": "faces:train-hi",
            "network": "lite0",
            "torch": torch.__version__,
            "protocols": steps,
        },
        "scores": scores,
    }
    save_json(out / "protocols.json", stored)
    save_figure(
        drift_figure(scores),
        out.parent / "figures" / "protocols.png",
        command="python tools/results/protocols.py",
        preset="study",
        seed=0,
    )
    return stored


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_path, default=ROOT / "results")
    parser.add_argument("--n", type=int, default=600, help="pictures of faces:test")
    args = parser.parse_args()
    protocols(args.out, args.n)
