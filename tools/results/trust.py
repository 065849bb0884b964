"""For maintainers: rewrite the trust score's calibration, results/trust.json and its figures from
the shipped weights.

    python tools/results/trust.py [--out results] [--figures figures] [--draw]

faces:val fixes every constant (calibration, limits, the sign of the baseline); faces:test is only
measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import textwrap
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.files import save_json, user_path
from hlgan_lib.metrics.features import extract_maps, face_rate
from hlgan_lib.metrics.pairs import psnr, ssim
from hlgan_lib.reliability import risk, triage
from hlgan_lib.reliability.calibration import CALIBRATION, DOUBTFUL, Calibration, calibrate
from hlgan_lib.reliability.risk import (
    RiskCurve,
    compare,
    failure_limit,
    input_sharpness,
    rate,
    risk_coverage,
)
from hlgan_lib.reliability.signs import PIXEL_SIGNS, HRFeatures, look_distance
from hlgan_lib.reliability.trust import Trust
from hlgan_lib.reliability.trust import trust as judge
from hlgan_lib.viz.canvas import save_figure
from hlgan_lib.viz.faces import face_grid

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {
    "look": "feature maps of EfficientNet-Lite0, as look_distance",
    "pixels": "root mean square, full scale 1",
    "pixels, no cast": "the same after the mean colour of both is made equal",
    "1 - SSIM": "structure",
}
PLAIN, SIGNED = "sharpness", "sharpness, sign of validation"
SHOWN = {"trust": "trust", PLAIN: "sharpness of the input", "oracle": "oracle: the error itself"}
N_SHOWN = 8


def true_errors(restored: Tensor, hi: Tensor, maps: Tensor, hr: HRFeatures) -> dict[str, Tensor]:
    """Every error of ERRORS, (B,) each; maps of the restored faces."""
    a, b, off = (restored + 1) / 2, (hi + 1) / 2, (restored - hi) / 2
    flat = off - off.mean((2, 3), keepdim=True)
    rms = [x.square().mean((1, 2, 3)).sqrt() for x in (off, flat)]
    return dict(zip(ERRORS, (look_distance(maps, extract_maps(b), hr), *rms, 1 - ssim(a, b))))


def scores_of(found: Trust, lo: Tensor, calibration: Calibration) -> dict[str, Tensor]:
    """What may warn of an error, large where all is well.

    Trust, its signs one by one, the input's sharpness.
    """
    alone = {k: -v for k, v in found.signs.items()}
    both = calibration.score(found.signs, PIXEL_SIGNS)
    return {
        "trust": found.score,
        PLAIN: input_sharpness(lo),
        " + ".join(PIXEL_SIGNS): both,
        **alone,
    }


def on(name: str, calibration: Calibration) -> dict:
    """A set of pairs judged.

    Pictures, Trust, true errors, scores, camera's causes, feature maps.
    """
    pairs = hl.load_faces(name)
    hi, lo, hr = pairs.hi.batch(), pairs.lo.batch(), calibration.hr_features()
    found = judge("l2h", "h2l", lo, calibration)
    maps = extract_maps((found.restored + 1) / 2)
    return {
        "hi": hi,
        "lo": lo,
        "found": found,
        "maps": maps,
        "names": pairs.hi.names,
        "errors": true_errors(found.restored, hi, maps, hr),
        "scores": scores_of(found, lo, calibration),
        "causes": triage.causes(hi, lo, load_camera_params(name), hr),
    }


def gains(val: dict, test: dict) -> tuple[dict, dict]:
    """Risk-coverage of every score for every error, and the curves at 1, 2, ..., 100 % coverage."""
    table, curves = {}, {}
    for name, error in test["errors"].items():
        on_val = compare({PLAIN: val["scores"][PLAIN]}, val["errors"][name], PLAIN, n_boot=10)[
            PLAIN
        ]["gain"]
        scores = test["scores"] | {SIGNED: (1 if on_val > 0 else -1) * test["scores"][PLAIN]}
        table[name] = compare(scores, error, PLAIN)
        for k, row in compare(scores, error, SIGNED).items():
            table[name][k] |= {"more_signed": row["more"], "more_signed_ci": row["more_ci"]}
        at = (torch.arange(1, 101) / 100 * len(error)).ceil().long() - 1
        shown = {k: risk_coverage(-error if k == "oracle" else scores[k], error) for k in SHOWN}
        curves[name] = {k: {"risk": c.risk[at].tolist(), "area": c.area} for k, c in shown.items()}
    return table, curves


def trust(out: Path = ROOT / "results", drawn: Path = ROOT / "figures") -> None:
    """Measure, store and draw everything about trust and failures."""
    start = time.time()
    calibration = calibrate("l2h", "h2l")
    calibration.save(CALIBRATION)
    val, test = on("faces:val", calibration), on("faces:test", calibration)
    hr, n_val = calibration.hr_features(), len(val["hi"])
    truths = extract_maps((val["hi"] + 1) / 2)
    limit = failure_limit(
        torch.stack([look_distance(val["maps"], truth, hr) for truth in truths], 1)
    )
    failed = {k: s["errors"]["look"] > limit for k, s in (("val", val), ("test", test))}
    table, curves = gains(val, test)

    doubtful = test["found"].doubtful
    as_many = test["scores"][PLAIN].argsort().argsort() < doubtful.sum()  # the least sharp
    causes_at = triage.limits(val["causes"])
    has = triage.triage(test["causes"], causes_at)
    decibels = psnr((test["found"].restored + 1) / 2, (test["hi"] + 1) / 2)
    lowest = decibels.argsort().argsort() < failed["test"].sum()
    order = test["errors"]["look"].argsort(descending=True)
    ranks = torch.stack([e.argsort().argsort().double() for e in test["errors"].values()])
    words = triage.labels(has)
    result = {
        "about": {
            "networks": ["l2h", "h2l"],
            "fingerprint": calibration.networks,
            "fixed_on": "faces:val",
            "n_val": n_val,
            "test": "faces:test",
            "n": len(test["hi"]),
            "n_z": calibration.n_z,
            "seed": calibration.seed,
            "torch": torch.__version__,
            "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        },
        "failures": {
            "rule": "look distance to the own truth above that of the nearest strangers",
            "limit": limit,
            "strangers": risk.STRANGERS,
            **{k: rate(v) for k, v in failed.items()},
            "face_found": {
                "truth": face_rate(test["hi"]),
                "restored": face_rate(test["found"].restored),
                "restored, failed": face_rate(test["found"].restored[failed["test"]]),
            },
        },
        "errors": ERRORS,
        "rank_correlation": {
            a: dict(zip(ERRORS, row.tolist())) for a, row in zip(ERRORS, torch.corrcoef(ranks))
        },
        "gains": table,
        "curves": curves,
        "warning": {k: risk.warning(v, failed["test"]) for k, v in test["scores"].items()},
        "flag": {
            "limit": calibration.limit,
            **{
                name: {
                    "flagged": rate(failed["test"][f]),
                    "kept": rate(failed["test"][~f]),
                    "found": rate(f[failed["test"]]),
                }
                for name, f in (("trust", doubtful), (PLAIN, as_many))
            },
        },
        "triage": {
            "causes": triage.CAUSES,
            "limits": causes_at,
            "failed": triage.counts(has, failed["test"]),
            "lowest PSNR": triage.counts(has, lowest),
            "doubtful": triage.counts(has, doubtful),
            "both": int((failed["test"] & lowest).sum()),
        },
        "worst": [
            {
                "name": test["names"][i],
                "look": test["errors"]["look"][i].item(),
                "psnr": decibels[i].item(),
                "grade": test["found"].grade[i].item(),
                "causes": words[i],
            }
            for i in order[:N_SHOWN].tolist()
        ],
    }
    save_json(out / "trust.json", rounded(result))
    draw(out, drawn)
    print(f"{time.time() - start:.0f} s")


def made(seed: int) -> dict:
    return {"command": "python tools/results/trust.py", "preset": "study", "seed": seed}


def draw(out: Path, drawn: Path) -> None:
    """figures/risk-coverage.png from results/trust.json alone.

    Failures.png with the pictures that it names.
    """
    stored = json.loads((out / "trust.json").read_text())
    panels = {}
    for error, title in (("look", "error in look (features)"), ("pixels", "error in pixels (RMS)")):
        panels[title] = {
            words: stored_curve(stored["curves"][error][k]) for k, words in SHOWN.items()
        }
    said = [
        f"{e}: trust gains {stored['gains'][e]['trust']['gain']:.0%} of what an oracle could, "
        f"sharpness {stored['gains'][e][PLAIN]['gain']:.0%}"
        for e in ("look", "pixels")
    ]
    alt = (
        "Mean true error of the kept test faces over the share kept, for trust, input sharpness "
        "and oracle. " + "; ".join(said)
    )
    save_figure(
        viz.risk_figure(panels, alt=alt),
        drawn / "risk-coverage.png",
        alt,
        **made(stored["about"]["seed"]),
    )

    pairs, worst = hl.load_faces("faces:test"), stored["worst"]
    index = [pairs.hi.names.index(case["name"]) for case in worst]
    hi, lo = pairs.hi.batch(index), pairs.lo.batch(index)
    causes = [
        textwrap.fill(case["causes"].replace("rare face", "rare\u00a0face"), 20) for case in worst
    ]
    flags = ["doubtful" if case["grade"] < DOUBTFUL else "(not flagged)" for case in worst]
    columns = [f"{cause}\n{flag}" for cause, flag in zip(causes, flags)]
    alt = (
        f"The {len(worst)} test faces with the worst look, worst first: LR image, "
        "restored face, truth. Causes: " + "; ".join(case["causes"] for case in worst)
    )
    figure = face_grid(
        {"LR": lo, "restored": hl.upscale("l2h", lo), "ground truth": hi},
        columns=columns,
        cell=128,
        alt=alt,
    )
    save_figure(figure, drawn / "failures.png", alt, **made(stored["about"]["seed"]))


def stored_curve(curve: dict) -> RiskCurve:
    return RiskCurve(torch.arange(1, 101) / 100, torch.tensor(curve["risk"]), curve["area"])


def rounded(value: Any) -> Any:
    """Floats to five digits that count, in depth."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_path, default=ROOT / "results")
    parser.add_argument("--figures", type=user_path, default=ROOT / "figures")
    parser.add_argument("--draw", action="store_true", help="only the figures, from what is stored")
    args = parser.parse_args()
    (draw if args.draw else trust)(args.out, args.figures)
