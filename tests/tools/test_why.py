"""The variants behind results/why.json: each lacks what its name says."""

import json
import sys
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import analysis, inference
from hlgan_lib.analysis.jpeg_traces import jpeg_grid

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "results"))
import why  # noqa: E402

HI = hl.load_faces("faces:val:hi").batch(slice(0, 48))


@pytest.fixture(scope="module")
def made():
    rows = {}
    for name, make in why.variants().items():
        rows[name] = make(HI, torch.Generator().manual_seed(0))
    return rows | {"camera": inference.shots("camera", HI)[0]}


def blur(lo):
    return analysis.blur_fit(HI, lo).width.mean().item()


def grids(lo):
    return jpeg_grid(lo).found.double().mean().item()


def test_jpeg_goes(made):
    assert grids(made["camera without JPEG"]) < 0.2 < 0.7 < grids(made["camera"])


def test_blur_goes(made):
    assert blur(made["camera without motion and defocus"]) < blur(made["camera"]) - 0.2


def test_light_goes(made):
    gains = {name: analysis.colour_gains(HI, lo) for name, lo in made.items()}
    assert gains["camera without light and tone"].std() < 0.3 * gains["camera"].std()


def test_stored_shares_follow_from_the_stored_scores_and_stand_in_the_findings():
    stored = json.loads((ROOT / "results" / "why.json").read_text())
    assert why.table(stored) in (ROOT / "docs" / "findings.md").read_text(), (
        "run tools/results/why.py"
    )
    psnr = {k: v["value"] for k, v in stored["psnr"].items()}
    gap = psnr["camera"] - psnr["bilinear"]
    for name, share in stored["share of the gap"].items():
        assert share == pytest.approx((psnr[name] - psnr["bilinear"]) / gap, abs=1e-3)


def test_what_the_findings_say_of_them_is_so():
    share = json.loads((ROOT / "results" / "why.json").read_text())["share of the gap"]
    assert 0.4 < share["camera without light and tone"] < 0.6, "half of it is lost"
    assert (
        0.75 < share["camera without JPEG"] < 0.85 < share["camera without motion and defocus"]
    ), "a fifth; little"
    assert share["camera without noise"] > 0.97, "nothing"
