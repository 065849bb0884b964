"""Results with numbers of their own, for what is read of them, drawn and tabled."""

import numpy as np
import pytest

from hlgan_lib.study.ablation import describe
from hlgan_lib.study.grid import CELLS, planned_of
from hlgan_lib.study.results import Stored

N = 20
RUN = {
    "bilinear-pixel": 2,
    "learned-pixel": 2,
    "camera-pixel": 2,
    "bilinear-gan": 1,
    "learned-gan": 2,
    "camera-gan": 1,
    "beta-0.5": 1,
    "joint": 1,
    "lo-300": 1,
    "z-none": 1,
}
LEVEL = {"bilinear": 19.0, "learned": 19.6, "camera": 20.5}


def score(rng, value):
    return {"value": float(value), "ci": [float(value) - 0.3, float(value) + 0.3]}


@pytest.fixture(scope="session")
def stored():
    """Results with numbers of their own for some cells; every other cell was not run."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, N)
    s = Stored(
        {
            "preset": "smoke",
            "test": "faces:test",
            "n": N,
            "hardware": "a machine",
            "torch": "0",
            "floors": {"frechet_lite0": 15.0, "kernel_lite0": 0.1},
        }
    )

    def scores(level):
        tests = {}
        for test in ("camera", "clean", "wild"):
            tests[test] = {
                "psnr": score(rng, level),
                "ssim": score(rng, 0.5),
                "frechet_lite0": score(rng, 9000 / level),
                "kernel_lite0": score(rng, 3),
                "consistency": score(rng, 25),
            }
        return tests

    s.references = {"bicubic": {"scores": scores(18.5), "psnr_faces": list(18.5 + base)}}
    for d in ("bilinear", "bicubic", "blur", "handmade", "camera"):
        s.references[f"h2l:{d}"] = {
            "scores": {
                "frechet_lite0": score(rng, 90),
                "kernel_lite0": score(rng, 9),
                "diversity": {"total": 0.05, "colour": 0.03, "detail": 0.04},
            }
        }
    s.arrays["faces/bicubic"] = rng.integers(0, 255, (8, 3, 64, 64), dtype=np.uint8)
    for cell, n_seeds in RUN.items():
        for p in planned_of(CELLS[cell], "smoke", range(n_seeds)):
            level = LEVEL.get(cell.split("-")[0], 19.3) + 0.02 * p.seed
            s.runs[p.run.name] = describe(p.run, "smoke") | {
                "training": {"seconds": 60 + 30 * p.seed},
                "scores": scores(level),
                "psnr_faces": [round(float(x), 2) for x in level + base + rng.normal(0, 0.05, N)],
            }
            s.arrays[f"faces/{p.run.name}"] = rng.integers(0, 255, (8, 3, 64, 64), dtype=np.uint8)
            for need in p.run.needs:
                if need.stage == "h2l":
                    spread = {"diversity": {"total": 0.07, "colour": 0.05, "detail": 0.06}}
                    s.runs[need.name] = describe(need, "smoke") | {
                        "training": {"seconds": 30},
                        "scores": {**s.references["h2l:camera"]["scores"], **spread},
                    }
    s.gaps = {
        "psnr/pixel/learned": {
            "ratio": 0.4,
            "ratio_ci": (0.3, 0.5),
            "low": 19.0,
            "mid": 19.6,
            "high": 20.5,
            "note": None,
        },
        "frechet_lite0/gan/learned": {
            "ratio": None,
            "ratio_ci": None,
            "low": 400.0,
            "mid": 410.0,
            "high": 399.0,
            "note": "no ratio: the gap is not clearly above 0",
        },
    }
    return s
