"""What docs/findings.md says of the measured JPEG and of beta is stored, or measured here."""

from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.jpeg_traces import measured_jpeg
from hlgan_lib.study.grid import LEARNED
from hlgan_lib.study.numbers import sweep_points
from hlgan_lib.study.results import load

ROOT = Path(__file__).resolve().parents[1]
PAGE = " ".join((ROOT / "docs" / "findings.md").read_text().split())


@pytest.fixture(scope="module")
def stored():
    return load(ROOT / "results")


def mean(values):
    return sum(values) / len(values)


def test_the_shares_that_the_measured_jpeg_closes(stored):
    psnr, far = (stored.gaps[f"{key}/coded"] for key in ("psnr/pixel", "frechet_lite0/gan"))
    assert (
        "two thirds of the gap in PSNR" in PAGE
        and abs(psnr["ratio"] - 2 / 3) < 0.05
        and psnr["ratio_ci"][0] > 0.6
    )
    assert (
        "three quarters of it in distance" in PAGE
        and abs(far["ratio"] - 3 / 4) < 0.05
        and far["ratio_ci"][0] < 0.7
    )


def test_the_measured_jpeg_beside_plain_h2l(stored):
    own, plain = (stored.values(c, "wild", "frechet_lite0") for c in ("coded-gan", "learned-gan"))
    assert "each of the three seeds comes out nearer" in PAGE
    assert all(a < b for a, b in zip(own, plain, strict=True)) and len(own) == 3
    own, plain = (mean(stored.values(c, "camera", "psnr")) for c in ("coded-gan", "learned-gan"))
    assert "falls a tenth of a dB" in PAGE and 0.05 < plain - own < 0.15
    own, plain = (
        mean(
            [
                r["scores"]["frechet_lite0"]["value"]
                for r in stored.runs.values()
                if r["stage"] == "h2l" and r["changed"] == LEARNED[d]
            ]
        )
        for d in ("coded", "learned")
    )
    assert "about twice as near to real shots" in PAGE and 1.7 < plain / own < 2.3


def test_how_nearly_the_jpeg_is_measured():
    quality, half = measured_jpeg(hl.load_faces("faces:train-lo").batch())
    drawn = hl.Camera().draw(20_000, torch.Generator().manual_seed(0))["site_quality"].double()
    at = torch.arange(1, 10, dtype=torch.float64) / 10
    assert (
        "deciles of quality lie within two" in PAGE
        and (quality.quantile(at) - drawn.quantile(at)).abs().max() <= 2
    )
    assert f"{100 * half:.0f} % of the photographs" in PAGE
    assert f"camera draws {100 * hl.Camera().p_subsampled:.0f} %" in PAGE


def test_the_beta_sweep(stored):
    points = sweep_points(stored, "beta")
    psnr, far = zip(*points.values())
    price, way = psnr[0].value - psnr[3].value, far[0].value - far[3].value
    assert (
        list(points) == [0, 0.005, 0.015, 0.05, 0.15, 0.5]
        and "at half of its price in PSNR" in PAGE
    )
    assert (
        0.4 < (psnr[0].value - psnr[1].value) / price < 0.6
        and (far[0].value - far[1].value) / way > 0.9
    )
    assert "PSNR falls with every step" in PAGE and "turns back at ten times" in PAGE
    assert [b.value for b in psnr] == sorted((b.value for b in psnr), reverse=True)
    assert far[1].value - far[4].value < far[3].high - far[3].low and far[5].value > far[4].value
