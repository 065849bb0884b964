"""A law that depends on the scene: is it found where there is one, and nothing where there is none?

    python tools/results/adaptive_law.py [--seeds 0 1 2] [--only auto shipped webcam]

Does what results/adaptive_law.json does not hold yet, stores each result at once, then rewrites the
tables of docs/domains.md. Some 15 minutes of a core a seed: H2L by the anchor alone, without a
discriminator, and pixel-only L2Hs of the preset `quick`.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, cast

from domains import (
    HALF,
    PAGE,
    ROOT,
    SEEDS,
    drawn,
    head,
    not_run,
    of_seeds,
    others,
    over,
    percents,
    photographed,
    restored_psnr,
    tests_of,
)
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib import adaptation
from hlgan_lib.analysis.camera_law import learned_law, other_law, scene_slopes
from hlgan_lib.data import FaceSet, load_faces, unit_range
from hlgan_lib.files import save_json
from hlgan_lib.inference import shots
from hlgan_lib.metrics.distances import frechet
from hlgan_lib.metrics.features import enlarge_lo, extract
from hlgan_lib.networks.camera import LearnedCamera
from hlgan_lib.runtime import one_thread
from hlgan_lib.study.tables import markdown_row

STORED = ROOT / "results" / "adaptive_law.json"
CAMERAS = ("auto", "shipped", "webcam")
LAWS = ("adaptive", "plain")
N_SLOPE, N_SHOTS = 400, 2_000  # faces and shots that a slope is measured of
H2L = hl.preset("quick").replace(
    w_gan=0.0, w_stats=1.0, h2l_steps=500, batch=24, lr=4e-3, amp="off"
)


def learn(camera: str, law: str, seed: int) -> tuple[LearnedCamera, dict[str, float]]:
    """An H2L of a camera's LR pictures of other people, and what its training logs at the end."""
    hi = load_faces("faces:train-hi")
    rest = hi[HALF:]
    lo = cast(FaceSet, load_faces("faces:train-lo"))
    if camera != "shipped":
        lo = photographed(rest, camera, seed=20)
    cfg = H2L.replace(h2l_law=law, seed=seed)
    loop, _ = hl.training.new_loop(cfg, "h2l", hi=hi[:HALF], lo=lo, device="cpu")
    while loop.step < loop.steps:
        loop.update()
    net = cast(LearnedCamera, loop.nets["h2l"])
    return net.eval().requires_grad_(False), loop.task.diagnostics(loop.nets)


def slopes_of(law: dict[str, Tensor], people: Tensor) -> dict[str, Any]:
    """Slopes of each number on each statistic of the scene."""
    found = scene_slopes(law, people)
    rounded = {}
    for number, row in found.items():
        rounded[number] = {name: round(slope, 3) for name, slope in row.items()}
    return rounded


def measure(camera: str, law: str, seed: int) -> tuple[LearnedCamera, dict[str, Any]]:
    """Train one, and hold its pictures of other people against the camera's."""
    start = time.process_time()
    net, logged = learn(camera, law, seed)
    seconds = time.process_time() - start
    people = load_faces("faces:train-hi").batch(slice(0, N_SLOPE))
    made, real = shots(net, others(), seed=seed)[0], tests_of(camera).batch()
    told, kernel = adaptation.set_apart(made, real)
    features = [extract(enlarge_lo(unit_range(x))) for x in (made, real)]
    found: dict[str, Any] = {
        "images": H2L.h2l_steps * H2L.batch,
        "cpu_seconds": round(seconds),
        "z_spread": round(logged["z_spread"], 4),
        "told_apart": [round(x, 3) for x in told[:3]],
        "kernel": round(kernel, 1),
        "frechet": round(frechet(*features), 1),
    }
    if law == "adaptive":
        found["learned"] = slopes_of(learned_law(net, N_SHOTS, hi=people), people)
        if camera != "shipped":
            found["true"] = slopes_of(other_law(camera, people, N_SHOTS), people)
    return net, found


def measure_all(stored: dict, seed: int, cameras: list[str]) -> None:
    """What is not stored yet of a seed, with an L2H of each."""
    one = stored.setdefault(str(seed), {})
    for camera in cameras:
        rows = one.setdefault(camera, {})
        for law in LAWS:
            if "psnr" in rows.get(law, {}):
                continue
            net, rows[law] = measure(camera, law, seed)
            save_json(STORED, stored)
            psnr = restored_psnr(drawn(net), {camera: tests_of(camera)}, seed)
            rows[law]["psnr"] = psnr[camera]
            save_json(STORED, stored)
            print(seed, camera, law, rows[law], flush=True)


# ---- tables --------------------------------------------------------------------------------------
def slope_table(stored: dict) -> str:
    """What depends on what: each number's slope on the statistic that it depends on most."""
    lines = head("camera", "number", "of the scene's", "seeds", "learned slope", "true")
    for camera, number, statistic in SHOWN:
        laws = of_seeds(stored, camera, "adaptive")
        if not laws:
            continue
        learned = over([law["learned"][number][statistic] for law in laws], 2)
        true = "–"
        if camera != "shipped":
            true = over([laws[0]["true"][number][statistic]], 2)
        lines.append(markdown_row([camera, number, statistic, str(len(laws)), learned, true]))
    return "\n".join(lines)


SHOWN = (
    ("auto", "exposure", "light"),
    ("auto", "shot noise", "light"),
    ("auto", "read noise", "light"),
    ("auto", "blur", "light"),
    ("auto", "contrast", "light"),
    ("webcam", "warmth", "warmth"),
    ("webcam", "tint", "tint"),
    ("webcam", "exposure", "light"),
    ("shipped", "exposure", "light"),
    ("shipped", "shot noise", "light"),
    ("shipped", "read noise", "light"),
    ("shipped", "blur", "light"),
    ("shipped", "warmth", "warmth"),
)


def law_table(stored: dict) -> str:
    """Plain and adaptive, camera by camera."""
    lines = head(
        *("LR pictures of", "law", "seeds", "told apart, %", "kernel distance"),
        *("Fréchet distance", "L2H, PSNR", "spread over z"),
    )
    planned, run = [], []
    for camera in CAMERAS:
        for law in reversed(LAWS):
            planned.append(f"{camera}, {law}")
            rows = [row for row in of_seeds(stored, camera, law) if "psnr" in row]
            if not rows:
                continue
            run.append(planned[-1])
            cells = [str(len(rows)), percents([row["told_apart"][0] for row in rows])]
            for key, digits in (("kernel", 0), ("frechet", 0), ("psnr", 2), ("z_spread", 3)):
                cells.append(over([row[key] for row in rows], digits))
            lines.append(markdown_row([camera, law, *cells]))
    return "\n".join([*lines, *not_run(tuple(planned), run)])


TABLES = {"slopes": slope_table, "laws-compared": law_table}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--only", nargs="*", default=list(CAMERAS), choices=CAMERAS)
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    with one_thread():
        for seed in args.seeds:
            measure_all(stored, seed, args.only)
    for mark, table in TABLES.items():
        between_marks(PAGE, table(stored), mark)


if __name__ == "__main__":
    main()
