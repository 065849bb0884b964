"""For maintainers: measure what the shipped H2L learned and draw its card (results/card.json,
estimators.json).

    python tools/results/card.py [--out DIR]

Reported numbers, on `faces:test`; whatever was tuned was tuned on `faces:val`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import hlgan_lib as hl
from hlgan_lib import inference
from hlgan_lib.analysis.camera_validation import validate_on_camera
from hlgan_lib.analysis.card import degradation_card
from hlgan_lib.analysis.validation import Estimate, table, validate
from hlgan_lib.files import save_json, user_path
from hlgan_lib.text import as_json
from hlgan_lib.viz.canvas import save_figure
from hlgan_lib.viz.card import draw_card

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "python tools/results/card.py"


def card(out: Path = ROOT) -> None:
    """Measure the estimators and the shipped weights `h2l` on faces:test, and write results and
    figure under `out`.
    """
    hi, lo = (side.batch() for side in hl.load_faces("faces:test"))
    drawn = {k: torch.from_numpy(v) for k, v in hl.data.load_camera_params("faces:test").items()}
    known, camera = validate(hi), validate_on_camera(hi, lo, drawn)
    print(table([*known, *camera]))
    stored = {
        "about": {"set": "faces:test", "n": len(hi), "command": COMMAND},
        "known": rows(known),
        "camera": rows(camera),
    }
    save_json(out / "results" / "estimators.json", stored)
    measured = degradation_card("learned:h2l", hi, lo, paired=True, truth="camera", drawn=drawn)
    measured["about"] |= {"set": "faces:test", "weights": "h2l", "command": COMMAND}
    (out / "results" / "card.json").write_text(as_json(measured, separators=(",", ":")) + "\n")
    print("\n".join(measured["verdicts"]))
    draw(out)


def rows(estimates: list[Estimate]) -> list[dict]:
    """As JSON, with the error, to five digits."""
    return [
        e._asdict()
        | {
            k: float(f"{v:.5g}")
            for k, v in (("true", e.true), ("measured", e.measured), ("error", e.error))
        }
        for e in estimates
    ]


def draw(out: Path = ROOT) -> None:
    """figures/card-h2l.png from results/card.json, with the first test faces, none selected."""
    measured = json.loads((out / "results" / "card.json").read_text())
    hi, lo = (side.batch(slice(0, 14)) for side in hl.load_faces("faces:test"))
    seed = measured["about"]["seed"]
    learned = inference.shots("learned:h2l", hi, 3, seed)
    shown = {"HR": hi, "bilinear": inference.shots("bilinear", hi)[0]}
    shown |= {f"learned, z {i + 1}": learned[i] for i in range(3)} | {"ground truth": lo}
    (out / "figures").mkdir(parents=True, exist_ok=True)
    save_figure(
        draw_card(measured, shown, name="shipped weights h2l"),
        out / "figures" / "card-h2l.png",
        command=COMMAND,
        preset="study",
        seed=seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_path, default=ROOT)
    parser.add_argument(
        "--draw", action="store_true", help="only redraw the figure from results/card.json"
    )
    args = parser.parse_args()
    (draw if args.draw else card)(args.out)


if __name__ == "__main__":
    main()
