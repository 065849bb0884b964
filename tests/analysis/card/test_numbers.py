"""The numbers of a card: intervals, curves, and what they are of."""

import math

import pytest
import torch

from hlgan_lib.analysis.card.numbers import N_GROUPS, likeness, number, of_pairs, shares
from hlgan_lib.degradations.handmade import bilinear

N = 44


def test_curves_are_those_of_the_analysis(of_camera, faces):
    from hlgan_lib import analysis

    fit = analysis.blur_fit(*faces)
    curve = of_camera["ways"]["real"]["noise curve"]
    direct = analysis.noise_curve(fit.fitted, fit.residual)
    held = direct.n >= 100
    assert torch.allclose(
        torch.tensor([y or 0 for y in curve["y"]]).double()[held], direct.y[held], rtol=1e-3
    )
    assert curve["n"] == direct.n.tolist()
    spectrum = torch.tensor(of_camera["ways"]["real"]["spectrum"]["y"]).double()
    assert torch.allclose(spectrum, analysis.power_spectrum(faces[1]).y, rtol=1e-3)
    assert abs(of_camera["ways"]["real"]["blur width"]["value"] - fit.width.mean()) < 1e-3


def test_interval_of_a_mean_and_a_spread():
    v = torch.randn(900, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for statistic, true, half in (("mean", 0, 1.96 / 30), ("spread", 1, 1.96 / math.sqrt(1800))):
        n = number(v, statistic)
        assert n.interval[0] < true < n.interval[1]
        assert 0.7 * half < (n.interval[1] - n.interval[0]) / 2 < 1.3 * half
    assert number(torch.tensor([3.0, 4.0, float("nan")]), "rms").value == pytest.approx(
        math.sqrt(12.5)
    )


def test_made_pictures_equal_to_the_real_ones_have_come_the_whole_way(faces):
    real, half = of_pairs(*faces), of_pairs(faces[0], bilinear(faces[0]))
    score = shares({"real": real, "learned": real, "bilinear": half}, 40)["blur width"]
    assert score.value == 1 and score.interval == pytest.approx([1, 1]) and score.n == N
    assert shares({"real": half, "learned": real, "bilinear": half}, 40)["blur width"] is None


def test_likeness_of_equal_curves_is_one_and_of_equal_kernels_none(faces):
    hi, lo = faces
    values, kernels = of_pairs(hi, lo), torch.zeros(N_GROUPS, 4, 4, dtype=torch.float64)
    kernels[:, 0, 0] = 1
    los = dict.fromkeys(("real", "learned"), lo) | {"bilinear": bilinear(hi)}
    sets = dict.fromkeys(("real", "learned"), values) | {"bilinear": of_pairs(hi, bilinear(hi))}
    of = dict.fromkeys(("real", "learned"), kernels) | {"bilinear": kernels.flip(1)}
    same, other = (likeness(los, sets, of, 40)[k] for k in ("learned", "bilinear"))
    assert same["spectrum"].value == same["noise curve"].value == 1 and same["kernel"].value == 0
    assert other["spectrum"].value > 1.05 and other["noise curve"].value > 2
    assert other["kernel"].value == 1, "all of its weight lies elsewhere"
    alone = likeness(los, {k: v for k, v in sets.items() if k != "real"}, of | {"real": None}, 40)
    assert alone["learned"]["noise curve"] is None and alone["learned"]["kernel"] is None
