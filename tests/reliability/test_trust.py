"""Trust without a truth: areas and rates with known answers, networks consistent by construction, the command."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import hlgan_lib as hl
from hlgan_lib import cli, viz
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.metrics.features import Lite0, extract, extract_maps
from hlgan_lib.networks.paper import HighToLow, LowToHigh
from hlgan_lib.reliability import risk, triage
from hlgan_lib.reliability.trust import (
    CALIBRATION,
    SIGNS,
    Calibration,
    calibrate,
    calibration_of,
    fingerprint,
    look_distance,
    misfit,
    sharp_faces,
    signs,
    trust,
)

CFG = hl.preset("smoke")
POOR, SHARP = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Blocks(nn.Module):
    """A restorer that repeats pixels: pooled, its result is the input to the last digit, mirrored or not."""

    def __init__(self, cfg=CFG):
        super().__init__()
        self.cfg, self.gain = cfg, nn.Parameter(torch.ones(()))

    def forward(self, lo):
        return self.gain * lo.repeat_interleave(4, -1).repeat_interleave(4, -2)


class Pool(nn.Module):
    """A degradation that averages and adds z's noise of a given strength."""

    def __init__(self, strength, cfg=CFG):
        super().__init__()
        self.cfg, self.strength = cfg, nn.Parameter(torch.tensor(strength))

    def forward(self, hi, z):
        return (pool(hi) + self.strength * z[:, None, :16, None] * z[:, None, None, -16:]).clamp(
            -1, 1
        )


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return LowToHigh(CFG).eval().requires_grad_(False), HighToLow(CFG).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def calibration(networks):
    return calibrate(*networks, lo=POOR, hi=SHARP, n_z=4)


# ---- features and distances --------------------------------------------------------------------------------------
def test_the_mean_of_the_maps_are_the_features():
    x = (SHARP.batch(slice(0, 3)) + 1) / 2
    assert extract_maps(x).shape == (3, 80, 4, 4)
    assert torch.allclose(extract_maps(x).mean((2, 3)), extract(x), atol=1e-5)
    assert torch.allclose(extract_maps(SHARP[:3]), extract_maps(x), atol=1e-4)
    assert torch.equal(Lite0()(x), Lite0().maps(x).mean((2, 3)))


def test_look_distance_by_hand_and_between_faces():
    sharp = sharp_faces(SHARP)
    a = torch.zeros(2, 80, 4, 4, dtype=torch.float64)
    b = a + torch.tensor([2.0, 3.0])[:, None, None, None] * sharp.scale[:, None, None]
    assert torch.allclose(look_distance(a, b, sharp), torch.tensor([2.0, 3.0], dtype=torch.float64))
    x = SHARP.batch(slice(0, 8))
    truth, noisy, noisier = (
        extract_maps((x + s * randn(*x.shape) + 1).clamp(0, 2) / 2) for s in (0, 0.1, 0.3)
    )
    near, far = look_distance(noisy, truth, sharp), look_distance(noisier, truth, sharp)
    assert (
        (near < far).all()
        and (near > 0).all()
        and (near < look_distance(truth.roll(1, 0), truth, sharp)).all()
    )
    with pytest.raises(hl.HLError, match="feature maps .* made? both|make both"):
        look_distance(a, a[..., :2], sharp)
    with pytest.raises(hl.HLError, match="at least 2 sharp faces, got 1"):
        sharp_faces(SHARP[:1])


def test_misfit_forgives_exposure_and_colour_and_nothing_else():
    x = 0.2 * randn(5, 3, 16, 16)
    gain, offset = (
        torch.tensor([0.5, 1.0, 2.0])[:, None, None],
        torch.tensor([0.1, 0.0, -0.3])[:, None, None],
    )
    assert misfit(x, gain * x + offset).max() < 1e-6
    noise = 0.1 * randn(5, 3, 16, 16, seed=1)
    assert torch.allclose(misfit(x, x + noise), torch.full((5,), 0.1).double(), rtol=0.1)
    assert torch.allclose(
        misfit(x, -x),
        x.double().sub(x.double().mean((2, 3), keepdim=True)).square().mean((1, 2, 3)).sqrt(),
    )  # a negative picture is no exposure


# ---- the signs ---------------------------------------------------------------------------------------------------
def test_networks_that_undo_each_other_show_no_doubt():
    lo, sharp = POOR.batch(slice(0, 6)), sharp_faces(SHARP)
    restored, found = signs(Blocks(), Pool(0.0), lo, sharp)
    assert torch.equal(restored, Blocks()(lo))
    assert found["misfit"].max() < 1e-6 and found["round_trip"].max() < 1e-5
    assert found["unlikeness"].min() > 0.5  # blocks are no sharp faces
    broken = signs(Blocks(), Pool(0.2), lo, sharp)[1]
    assert all((broken[k] > found[k] + 0.01).all() for k in ("misfit", "round_trip"))
    assert torch.equal(broken["spread"], found["spread"])  # of L2H alone


def test_a_picture_has_the_same_trust_in_any_company(networks, calibration):
    lo = POOR.batch()
    found, alone = trust(*networks, lo, calibration), trust(*networks, lo[5:6], calibration)
    assert torch.allclose(found.score[5], alone.score[0], atol=1e-4)
    assert torch.allclose(found.restored, hl.upscale(networks[0], lo), atol=1e-6)
    again = trust(*networks, lo, calibration)
    assert torch.equal(found.score, again.score)


def test_noise_on_the_input_lowers_the_trust_in_the_shipped_networks():
    lo = POOR.batch(slice(0, 12))
    calibration = calibration_of("l2h", "h2l")
    clean = trust("l2h", "h2l", lo, calibration)
    noisy = trust("l2h", "h2l", (lo + 0.4 * randn(*lo.shape)).clamp(-1, 1), calibration)
    assert (
        noisy.score.mean() < clean.score.mean() - 0.5
        and noisy.doubtful.sum() > clean.doubtful.sum()
    )


# ---- calibration -------------------------------------------------------------------------------------------------
def test_the_calibration_set_itself_is_as_usual(networks, calibration):
    found = trust(*networks, POOR.batch(), calibration)
    assert abs(found.score.mean()) < 1e-6 and abs(found.doubtful.double().mean() - 0.1) <= 1 / 24
    assert found.grade.min() == 0 and found.grade.max() == 1
    assert torch.equal(found.score.argsort(), (found.score + 1e-3 * found.grade).argsort())
    for name in SIGNS:
        larger = {k: v * (2 if k == name else 1) for k, v in found.signs.items()}
        assert (calibration.score(larger) < found.score).all(), name


def test_a_calibration_survives_its_file_and_fits_its_networks_only(
    networks, calibration, tmp_path
):
    calibration.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == calibration
    with pytest.raises(hl.HLError, match="cannot be read"):
        Calibration.load(tmp_path / "none.json")
    (tmp_path / "c.json").write_text(json.dumps({"n": 3}))
    with pytest.raises(hl.HLError, match="cannot be read"):
        Calibration.load(tmp_path / "c.json")
    with pytest.raises(hl.HLError, match="must be of these networks"):
        trust(*networks, POOR.batch(), replace(calibration, networks="others"))
    assert fingerprint(*networks) == calibration.networks != fingerprint(*networks[::-1])


def test_the_shipped_calibration_is_of_the_shipped_networks():
    shipped = Calibration.load(CALIBRATION)
    assert shipped.networks == fingerprint(hl.load_weights("l2h"), hl.load_weights("h2l"))
    assert (
        calibration_of("l2h", "h2l") == shipped
        and shipped.source == "faces:val"
        and shipped.n == 200
    )
    stored = json.loads((CALIBRATION.parents[2] / "results" / "trust.json").read_text())
    assert stored["about"]["fingerprint"] == shipped.networks
    assert stored["flag"]["limit"] == pytest.approx(shipped.limit, rel=1e-4)


def test_wrong_inputs_are_named(networks):
    l2h, h2l = networks
    with pytest.raises(hl.HLError, match=r"lo must be .*16, 16"):
        trust(l2h, h2l, torch.zeros(2, 3, 64, 64))
    with pytest.raises(hl.HLError, match="stage l2h"):
        trust(h2l, h2l, POOR.batch())
    with pytest.raises(hl.HLError, match="20 poor pictures or more, got 4 and 3"):
        calibrate(l2h, h2l, lo=POOR[:3], n_z=4)
    with pytest.raises(hl.HLError, match="the H2L that l2h was trained with"):
        trust(l2h, HighToLow(CFG.replace(size_lo=8)), POOR.batch())
    with pytest.raises(hl.HLError, match="lo must be"):
        calibrate(l2h, h2l, lo=SHARP)


# ---- risk and coverage -------------------------------------------------------------------------------------------
def test_risk_coverage_by_hand():
    curve = risk.risk_coverage(torch.tensor([0.1, 0.9, 0.5]), torch.tensor([6.0, 3.0, 1.0]))
    assert torch.allclose(curve.risk, torch.tensor([3, 2, 10 / 3], dtype=torch.float64))
    assert torch.allclose(curve.coverage, torch.tensor([1 / 3, 2 / 3, 1], dtype=torch.float64))
    assert curve.area == pytest.approx((3 + 2 + 10 / 3) / 3)


def test_an_oracle_gains_all_and_chance_nothing():
    error = randn(2000).exp()
    scores = {
        "oracle": -error,
        "chance": randn(2000, seed=1),
        "upside down": error,
        "good": -error.log() + 0.5 * randn(2000, seed=2),
    }
    table = risk.compare(scores, error, "chance", n_boot=50)
    assert table["oracle"]["gain"] == pytest.approx(1) and table["upside down"]["gain"] < -1
    assert table["chance"]["gain_ci"][0] < 0 < table["chance"]["gain_ci"][1]
    assert 0.3 < table["good"]["gain"] < 1 and table["good"]["more_ci"][0] > 0.2
    assert table["chance"]["more_ci"] == [0, 0]
    assert (
        table["oracle"]["area"]
        < table["good"]["area"]
        < table["chance"]["area"]
        < table["upside down"]["area"]
    )
    assert risk.compare(scores, 5 * error, "chance", n_boot=50)["good"]["gain"] == pytest.approx(
        table["good"]["gain"]
    )


def test_failures_are_nearer_to_strangers():
    place = torch.arange(41.0)
    distances = (place[:, None] - place).abs() + 3  # the nearest strangers are 4 away
    assert risk.failure_limit(distances, 0.01) == pytest.approx(4)
    assert risk.rate(torch.tensor([True] + [False] * 9)) == {
        "failed": 1,
        "n": 10,
        "rate": 0.1,
        "ci": pytest.approx([0.0179, 0.4042], abs=1e-3),
    }
    assert risk.rate(torch.zeros(0, dtype=torch.bool))["rate"] is None


def test_warning_is_the_chance_that_a_failure_is_trusted_less():
    failed = torch.tensor([True, True, False, False, False])
    assert risk.warning(torch.tensor([-9.0, -8, 1, 2, 3]), failed)["auroc"] == 1
    assert risk.warning(torch.tensor([9.0, 8, 1, 2, 3]), failed)["auroc"] == 0
    assert risk.warning(torch.zeros(5), failed)["auroc"] == pytest.approx(0.5)
    assert risk.warning(torch.tensor([0.0, 2, 1, 3, 4]), failed)["auroc"] == pytest.approx(5 / 6)
    assert risk.warning(torch.zeros(5), torch.zeros(5, dtype=torch.bool))["auroc"] is None


def test_sharpness_falls_with_blur_and_rises_with_contrast():
    lo = POOR.batch(slice(0, 8))
    blurred = nn.functional.avg_pool2d(lo, 3, 1, 1, count_include_pad=False)
    assert (risk.input_sharpness(blurred) < risk.input_sharpness(lo)).all()
    assert torch.allclose(risk.input_sharpness(0.5 * lo), risk.input_sharpness(lo) / 4)
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 1  # 4 of 12 neighbours across differ by 1/2
    assert risk.input_sharpness(step).item() == pytest.approx(4 / 12 / 4)


def test_wrong_scores_are_named():
    five = torch.arange(5.0)
    for call, says in (
        (lambda: risk.risk_coverage(five, five[:4]), "same pictures"),
        (lambda: risk.risk_coverage(five / 0, five), "finite"),
        (lambda: risk.compare({"a": five}, five, "b"), "against must be one of a"),
        (lambda: risk.failure_limit(torch.zeros(3, 4)), "distances must be"),
        (lambda: risk.input_sharpness(five), "lo must be"),
        (lambda: viz.risk_figure({}, alt="of no error at all"), "at least one error"),
    ):
        with pytest.raises(hl.HLError, match=says):
            call()


def test_the_figure_says_what_it_shows():
    curve = risk.risk_coverage(randn(50), randn(50, seed=1).exp())
    figure = viz.risk_figure(
        {"a": {"trust": curve, "other": curve}, "b": {"trust": curve, "other": curve}},
        alt="Two panels of two curves",
    )
    assert figure.alt and [ax.get_title() for ax in figure.axes] == ["a", "b"]
    line = figure.axes[0].lines[0]
    assert line.get_ydata()[-1] == pytest.approx(1) and line.get_xdata()[-1] == pytest.approx(100)


# ---- triage ------------------------------------------------------------------------------------------------------
def test_causes_find_what_the_camera_was_told_to_do():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 24))
    camera, rng = hl.Camera(), torch.Generator().manual_seed(0)
    mild = camera.draw(len(hi), rng)
    mild |= {
        "exposure_ev": torch.zeros(24),
        "motion_px": torch.zeros(24),
        "defocus_px": torch.full((24,), 0.5),
        "white_balance": torch.ones(24, 3),
        "site_quality": torch.full((24,), 90),
        "shot_gain": torch.full((24,), 1e-3),
        "sensor_px": torch.full((24,), 32),
        "between_px": torch.full((24,), 32),
    }
    bad = {
        "dark": {"exposure_ev": torch.full((24,), -1.1)},
        "bright": {"exposure_ev": torch.full((24,), 0.7)},
        "cast": {"white_balance": torch.tensor([1.3, 1.0, 1 / 1.3]).expand(24, 3)},
        "blur": {"motion_px": torch.full((24,), 8.0), "defocus_px": torch.full((24,), 3.4)},
        "coarse": {"sensor_px": torch.full((24,), 16), "between_px": torch.full((24,), 16)},
        "noise": {"shot_gain": torch.full((24,), 0.02)},
        "JPEG": {"site_quality": torch.full((24,), 40)},
    }
    sharp = sharp_faces(SHARP)

    def measured(params):
        lo = camera.shoot(hi, params, torch.Generator().manual_seed(1))
        return triage.causes(hi, lo, params, sharp)

    usual = measured(mild)
    for name, change in bad.items():
        assert (measured(mild | change)[name] > usual[name] + 1e-9).double().mean() > 0.9, name
    odd = triage.causes(hi.flip(-2), hl.degradations.pool(hi), mild, sharp)["rare face"]
    assert (odd > usual["rare face"]).double().mean() > 0.6
    with pytest.raises(hl.HLError, match="same shots"):
        triage.causes(hi[:3], hi[:3, :, ::4, ::4], mild, sharp)


def test_counts_by_hand():
    numbers = {"a": torch.arange(10.0), "b": torch.arange(10.0).flip(0)}
    limit = triage.limits(numbers, 0.2)
    has = triage.triage(numbers, limit)
    assert has["a"].nonzero().flatten().tolist() == [8, 9] and has[
        "b"
    ].nonzero().flatten().tolist() == [0, 1]
    failed = torch.tensor([0, 0, 1, 0, 0, 0, 0, 0, 1, 1]).bool()
    table = triage.counts(has, failed)
    assert (table["a"]["all"], table["a"]["failed"], table["a"]["times"]) == (
        2,
        2,
        pytest.approx((2 / 3) / 0.2),
    )
    assert table["b"]["times"] == 0 and table["none"] | {"ci": 0} == {
        "all": 6,
        "failed": 1,
        "times": pytest.approx((1 / 3) / 0.6),
        "ci": 0,
    }
    assert triage.labels(has)[7:] == ["none", "a", "a"]
    for call, says in (
        (lambda: triage.counts(has, failed & False), "at least one failure"),
        (lambda: triage.triage(numbers, {"a": 1}), "none for b"),
        (lambda: triage.limits(numbers, 1), "between 0 and 1"),
    ):
        with pytest.raises(hl.HLError, match=says):
            call()


def test_the_stored_parameters_fit_the_stored_pairs():
    pairs = hl.load_faces("faces:val")
    hi, lo = pairs.hi.batch(), pairs.lo.batch()
    numbers = triage.causes(hi, lo, load_camera_params("faces:val"), sharp_faces(SHARP))
    assert set(numbers) == set(triage.CAUSES)
    share = {
        k: v.double().mean().item()
        for k, v in triage.triage(numbers, triage.limits(numbers)).items()
    }
    assert all(0.04 < v <= 0.1 for v in share.values()), share  # whole numbers tie at the limit


# ---- the command -------------------------------------------------------------------------------------------------
def refused(argv, capsys) -> str:
    assert cli.main([str(a) for a in argv]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("hlgan: error: ") and shown.err.count("\n") == 1, shown.err
    return shown.err


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """Four good shots and two of noise."""
    folder = tmp_path_factory.mktemp("poor")
    lo = POOR.batch(slice(0, 6))
    lo[[3, 5]] = (lo[[3, 5]] + 0.7 * randn(2, 3, 16, 16)).clamp(-1, 1)
    from hlgan_lib.files import save_png

    for k, picture in enumerate(hl.data.to_uint8(lo)):
        save_png(folder / f"{k:02d}.png", picture)
    return folder


def test_upscale_with_trust_writes_the_table_and_names_the_doubtful(poor, tmp_path, capsys):
    argv = ["upscale", "--weights", "l2h", "--input", poor, "--trust"]
    for out in ("x", "y"):
        assert cli.main([*map(str, argv), "--out", str(tmp_path / out)]) == 0
    said = capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "x" / "trust.csv").read_text().splitlines()))
    assert [r["file"] for r in rows] == [f"{k:02d}.png" for k in range(6)]
    assert all((tmp_path / "x" / r["file"]).is_file() for r in rows)
    assert set(rows[0]) == {"file", "doubtful", "trust", "grade", *SIGNS}
    found = trust("l2h", "h2l", hl.load_faces(poor).batch())
    assert [float(r["trust"]) for r in rows] == pytest.approx(found.score.tolist(), abs=1e-3)
    assert [r["doubtful"] == "yes" for r in rows] == found.doubtful.tolist()
    assert rows[3]["doubtful"] == rows[5]["doubtful"] == "yes"
    assert (
        f"{found.doubtful.sum()} of 6 are doubtful: " in said
        and "03.png" in said
        and "trust.csv" in said
    )
    assert (tmp_path / "x" / "trust.csv").read_bytes() == (
        tmp_path / "y" / "trust.csv"
    ).read_bytes()
    assert (
        cli.main(
            ["upscale", "--weights", "l2h", "--input", str(poor), "--out", str(tmp_path / "z")]
        )
        == 0
    )
    for r in rows:
        assert (tmp_path / "z" / r["file"]).is_file()
    assert not (tmp_path / "z" / "trust.csv").exists()


def test_upscale_with_trust_refuses_what_cannot_be_right(poor, tmp_path, capsys):
    argv = ["upscale", "--weights", "l2h", "--input", poor, "--out", tmp_path / "out"]
    assert "add --trust" in refused([*argv, "--h2l", "h2l"], capsys)
    assert "are of stage l2h, expected h2l" in refused([*argv, "--trust", "--h2l", "l2h"], capsys)
    assert "nowhere" in refused([*argv, "--trust", "--h2l", "nowhere"], capsys)
    npz = SHARP[:2].save(tmp_path / "sharp.npz")
    assert "the network takes 16x16" in refused(
        [*argv[:3], "--input", npz, *argv[5:], "--trust"], capsys
    )
    assert not (tmp_path / "out").exists()
