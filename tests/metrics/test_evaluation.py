"""`evaluate`: every score with what must stand beside it, and what it refuses."""

import pytest
import torch
from torch.nn.functional import interpolate

import hlgan_lib as hl
from hlgan_lib import metrics, rng
from hlgan_lib.metrics import evaluation
from tests.helpers import noisy


def test_evaluate_pairs(faces):
    real = faces[:40]
    fake = noisy((real.batch() + 1) / 2, 0.1) * 2 - 1
    got = hl.evaluate(fake, real, paired=True, n_boot=50)
    assert list(got) == ["psnr", "ssim", "frechet_lite0", "kernel_lite0"]
    want = metrics.psnr((fake + 1) / 2, (real.batch() + 1) / 2).mean()
    assert got["psnr"]["value"] == pytest.approx(float(want), rel=1e-5)
    mixed = real.batch(rng.subsample(40, 40, 0).numpy())
    want = metrics.psnr(*((x + 1) / 2 for x in mixed.split(20))).mean()
    assert got["psnr"]["floor"] == pytest.approx(float(want), rel=1e-5)
    assert got["psnr"]["floor_n"] == 20
    for score in got.values():
        assert score["n"] == 40 and score["ci"][0] < score["value"] < score["ci"][1]
    for name in ("frechet_lite0", "kernel_lite0"):
        assert "EfficientNet-Lite0" in got[name]["features"] and got[name]["floor_n"] == 20
        assert got[name]["value"] > got[name]["floor"]
    assert "do not fill 80 features" in got["frechet_lite0"]["note"]
    assert got == hl.evaluate(fake, real, paired=True, n_boot=50), (
        "the same seed must give the same scores"
    )


def test_evaluate_compares_at_equal_n_and_says_so(faces):
    small, large = faces[:20], faces[20:80]
    got = hl.evaluate(small, large, metrics=["frechet_lite0"], n_boot=5)["frechet_lite0"]
    assert got["n"] == 20 and "20 of the 60 real pictures, drawn by seed 0" in got["note"]
    index = rng.subsample(60, 40, 1).numpy()
    real = metrics.extract(large[index])
    assert got["floor"] == pytest.approx(metrics.frechet(real[:20], real[20:]))
    assert got["floor_n"] == 20
    assert got["value"] == pytest.approx(metrics.frechet(metrics.extract(small), real[:20]))
    back = hl.evaluate(large, small, metrics=["frechet_lite0"], seed=3, n_boot=5)["frechet_lite0"]
    assert back["n"] == 20
    assert back["floor_n"] == 10
    assert "fake pictures, drawn by seed 3" in back["note"]


def test_evaluate_enlarges_small_pictures_by_the_rule(lo):
    got = hl.evaluate(lo[:20] * 2 - 1, lo[20:40] * 2 - 1, metrics=["frechet_lite0"], n_boot=5)[
        "frechet_lite0"
    ]
    a, b = lo[:20][rng.subsample(20, 20, 0)], lo[20:40][rng.subsample(20, 20, 1)]
    want = metrics.frechet(*(metrics.extract(metrics.enlarge_lo(x)) for x in (a, b)))
    assert got["value"] == pytest.approx(want, rel=1e-4) and "bicubic" in got["features"]


def test_evaluate_of_equal_pictures_has_an_infinite_psnr_without_interval(faces):
    got = hl.evaluate(faces[:4], faces[:4], paired=True, n_boot=5)
    assert got["psnr"]["value"] == float("inf")
    assert got["psnr"]["ci"] is None
    assert "infinite" in got["psnr"]["note"]
    assert got["ssim"]["value"] == pytest.approx(1)
    assert got["frechet_lite0"]["value"] == pytest.approx(0, abs=1e-4)


def test_evaluate_states_channel_and_border_and_measures_by_them(faces):
    real, fake = faces[:8].batch(), faces[:8].batch() * 0.9
    got = hl.evaluate(
        fake, real, paired=True, metrics=["psnr", "ssim"], channel="y", border=4, n_boot=20
    )
    for name, score in (("psnr", metrics.psnr), ("ssim", metrics.ssim)):
        want = score((fake + 1) / 2, (real + 1) / 2, "y", 4).mean()
        assert got[name]["value"] == pytest.approx(float(want), rel=1e-5)
        assert got[name]["features"].startswith(
            "Y (BT.601, 16 to 235 of 255) in [0, 1], border 4 px"
        )
    plain = hl.evaluate(fake, real, paired=True, metrics=["psnr"], n_boot=20)["psnr"]
    assert plain["features"] == "RGB in [0, 1], border 0 px, dB"
    assert plain["value"] != got["psnr"]["value"]


def test_consistency_has_the_truths_own_as_its_floor_and_needs_no_truth():
    pairs = hl.load_faces("faces:val")
    hi, lo = (side.batch(slice(0, 8)) for side in pairs)
    large = interpolate(lo, size=64, mode="bicubic").clamp(-1, 1)
    got = hl.evaluate(large, hi, paired=True, lo=lo, n_boot=20)
    assert list(got) == ["psnr", "ssim", "frechet_lite0", "kernel_lite0", "consistency"]
    got = got["consistency"]
    want = metrics.consistency((hi + 1) / 2, (lo + 1) / 2).mean()
    assert got["floor"] == pytest.approx(float(want), rel=1e-5) and got["floor_n"] == 8
    assert got["value"] > got["floor"] + 3, (
        "plain enlargement explains its input better than the truth does"
    )
    assert got["features"] == "RGB in [0, 1], reduced by bilinear, dB"
    alone = hl.evaluate(large, hi[:5], lo=pairs.lo[:8], metrics=["consistency"], reduce="pool")[
        "consistency"
    ]
    assert alone["floor"] is None
    assert alone["n"] == 8
    assert alone["features"].endswith("reduced by pool, dB")


BAD = {
    "one picture": (lambda x: (x[:1], x), {}, "fake must hold at least 2"),
    "other sizes": (lambda x: (x, x[..., :16, :16]), {}, "did you mix up hi and lo"),
    "pairs of other numbers": (
        lambda x: (x, x[:3]),
        {"paired": True},
        "paired needs a partner for each picture, got 4 and 3",
    ),
    "bytes": (lambda x: (x, x.byte()), {}, "real must be a FaceSet or float"),
    "grey": (lambda x: (x[:, :1], x), {}, r"fake must be a FaceSet or float \(N, 3"),
    "levels": (lambda x: (x, x * 255), {}, r"real must lie in \[-1, 1\]"),
    "unit range": (lambda x: (x, (x + 1) / 2), {}, "looks like .0, 1.: pass x . 2 - 1"),
    "NaN": (lambda x: (x * float("nan"), x), {}, r"fake must lie in \[-1, 1\], got nan"),
    "unknown metric": (
        lambda x: (x, x),
        {"metrics": ["FID"]},
        "metrics must be of psnr.*got 'FID'",
    ),
    "no list": (lambda x: (x, x), {"metrics": "psnr"}, "must be a list"),
    "no metric": (lambda x: (x, x), {"metrics": []}, "at least one"),
    "other channel": (lambda x: (x, x), {"channel": "cb"}, "channel must be rgb or y, got 'cb'"),
    "border inside which no window fits": (
        lambda x: (x, x),
        {"paired": True, "border": 27},
        "border must be 0",
    ),
    "negative border": (lambda x: (x, x), {"border": -1}, "border must be 0 or more"),
    "no LR pictures": (lambda x: (x, x), {"metrics": ["consistency"]}, "got lo=None: pass lo="),
    "too few LR pictures": (
        lambda x: (x, x),
        {"lo": torch.zeros(3, 3, 16, 16)},
        "lo needs a partner for each picture, got 4 and 3",
    ),
    "HR for LR pictures": (
        lambda x: (x[..., :16, :16], x[..., :16, :16]),
        {"lo": torch.zeros(4, 3, 64, 64)},
        "did you mix up hi and lo",
    ),
    "unknown reduction": (
        lambda x: (x, x),
        {"lo": torch.zeros(4, 3, 16, 16), "reduce": "box", "metrics": ["consistency"]},
        "reduce must be bilinear",
    ),
    "LR for training pictures": (
        lambda x: (x, x),
        {"train": torch.zeros(4, 3, 16, 16)},
        "train must be HR",
    ),
    "no training pictures": (
        lambda x: (x, x),
        {"metrics": ["frechet_lite0_paper"]},
        "got train=None: pass train=",
    ),
    "psnr of sets": (lambda x: (x, x), {"metrics": ["psnr"]}, "psnr compares pairs"),
}


@pytest.mark.parametrize("case", BAD)
def test_evaluate_refuses_with_one_line(case):
    sets, options, message = BAD[case]
    with pytest.raises(hl.HLError, match=message) as error:
        hl.evaluate(*sets(torch.rand(4, 3, 64, 64) * 2 - 1), **options)
    assert "\n" not in str(error.value)


def test_evaluate_refuses_pairs_of_other_faces(faces):
    with pytest.raises(hl.HLError, match=f"{faces.names[0]} has no partner"):
        hl.evaluate(faces[:4], faces[4:8], paired=True)


def test_few_pictures_have_no_interval(faces):
    fake, real = faces[:8].batch() * 0.9, faces[:8].batch()
    few = hl.evaluate(fake[:4], real[:4], paired=True, metrics=["psnr"])["psnr"]
    assert few["ci"] is None and few["note"] == "no interval of fewer than 5"
    enough = hl.evaluate(fake, real, paired=True, metrics=["psnr"])["psnr"]
    low, high = enough["ci"]
    assert low <= enough["value"] <= high and enough["note"] is None


def test_sets_are_matched_by_name_whatever_their_order():
    pairs = hl.load_faces("faces:val")
    hi, lo = pairs.hi[:4], pairs.lo[:4]
    mixed = [2, 0, 3, 1]
    names = [name.replace(".png", ".JPG") for name in hi.names]
    renamed = hl.FaceSet(hi.images[mixed], tuple(names[i] for i in mixed), "made")
    got = hl.evaluate(hi, renamed, paired=True, metrics=["ssim", "consistency"], lo=lo[mixed])
    want = hl.evaluate(hi.batch(), hi.batch(), True, ["ssim", "consistency"], lo=lo.batch())
    assert got["ssim"]["value"] == pytest.approx(1)
    assert got["consistency"]["value"] == pytest.approx(want["consistency"]["value"])


@pytest.mark.parametrize(
    "name, cls, message",
    [
        (
            "fid",
            "torchmetrics.image.fid.FrechetInceptionDistance",
            "fid needs torch-fidelity.*pip install torch-fidelity",
        ),
        (
            "lpips",
            "torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity",
            "lpips needs .*AlexNet.*connect",
        ),
    ],
)
@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("no such\nmodule"), OSError("no route"), RuntimeError()]
)
def test_scores_that_need_a_download_say_so(monkeypatch, name, cls, message, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(cls, fail)
    with pytest.raises(hl.HLError, match=message) as caught:
        fake, real = torch.rand(2, 4, 3, 64, 64) * 2 - 1
        hl.evaluate(fake, real, paired=True, metrics=[name])
    assert "\n" not in str(caught.value) and "frechet_lite0" in str(caught.value)


def test_lpips_is_the_mean_over_pairs(monkeypatch, faces):
    def net(a, b, normalize):
        return (a - b).abs().mean((1, 2, 3), keepdim=True)

    monkeypatch.setattr(evaluation, "lpips_network", lambda device: net)
    fake = -faces[:6].batch()
    got = hl.evaluate(fake, faces[:6], paired=True, metrics=["lpips"], n_boot=20)["lpips"]
    assert got["value"] == pytest.approx(float(faces[:6].batch().abs().mean()), rel=1e-5)
    assert got["n"] == 6
