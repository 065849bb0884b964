"""Trust without a ground truth: lower for noise, alike in any company; the command."""

import csv

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import cli
from hlgan_lib.files import save_png
from hlgan_lib.networks.paper import HighToLow
from hlgan_lib.reliability.calibration import (
    calibrate,
    calibration_of,
)
from hlgan_lib.reliability.signs import SIGNS
from hlgan_lib.reliability.trust import trust
from tests.helpers import refused

CFG = hl.preset("smoke")


LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_picture_has_the_same_trust_in_any_company(networks, calibration):
    lo = LO.batch()
    found, alone = trust(*networks, lo, calibration), trust(*networks, lo[5:6], calibration)
    assert torch.allclose(found.score[5], alone.score[0], atol=1e-4)
    assert torch.allclose(found.restored, hl.upscale(networks[0], lo), atol=1e-6)
    again = trust(*networks, lo, calibration)
    assert torch.equal(found.score, again.score)


def test_noise_on_the_input_lowers_the_trust_in_the_shipped_networks():
    lo = LO.batch(slice(0, 12))
    calibration = calibration_of("l2h", "h2l")
    clean = trust("l2h", "h2l", lo, calibration)
    noisy = trust("l2h", "h2l", (lo + 0.4 * randn(*lo.shape)).clamp(-1, 1), calibration)
    assert noisy.score.mean() < clean.score.mean() - 0.5
    assert noisy.doubtful.sum() > clean.doubtful.sum()


def test_wrong_inputs_are_named(networks):
    l2h, h2l = networks
    with pytest.raises(hl.HLError, match=r"lo must be .*16, 16"):
        trust(l2h, h2l, torch.zeros(2, 3, 64, 64))
    with pytest.raises(hl.HLError, match="stage l2h"):
        trust(h2l, h2l, LO.batch())
    with pytest.raises(hl.HLError, match="20 LR pictures or more, got 4 and 3"):
        calibrate(l2h, h2l, lo=LO[:3], n_z=4)
    with pytest.raises(hl.HLError, match="the H2L that l2h was trained with"):
        trust(l2h, HighToLow(CFG.replace(size_lo=8)), LO.batch())
    with pytest.raises(hl.HLError, match="lo must be"):
        calibrate(l2h, h2l, lo=HI)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four good shots and two of noise."""
    folder = tmp_path_factory.mktemp("photos")
    lo = LO.batch(slice(0, 6))
    lo[[3, 5]] = (lo[[3, 5]] + 0.7 * randn(2, 3, 16, 16)).clamp(-1, 1)

    for k, picture in enumerate(hl.data.to_uint8(lo)):
        save_png(folder / f"{k:02d}.png", picture)
    return folder


def test_upscale_with_trust_writes_the_table_and_names_the_doubtful(photos, tmp_path, capsys):
    argv = ["upscale", "--weights", "l2h", "--input", photos, "--trust"]
    for out in ("x", "y"):
        assert cli.main([*map(str, argv), "--out", str(tmp_path / out)]) == 0
    said = capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "x" / "trust.csv").read_text().splitlines()))
    assert [r["file"] for r in rows] == [f"{k:02d}.png" for k in range(6)]
    assert all((tmp_path / "x" / r["file"]).is_file() for r in rows)
    assert set(rows[0]) == {"file", "doubtful", "trust", "grade", *SIGNS}
    found = trust("l2h", "h2l", hl.load_faces(photos).batch())
    assert [float(r["trust"]) for r in rows] == pytest.approx(found.score.tolist(), abs=1e-3)
    assert [r["doubtful"] == "yes" for r in rows] == found.doubtful.tolist()
    assert rows[3]["doubtful"] == rows[5]["doubtful"] == "yes"
    assert f"{found.doubtful.sum()} of 6 are doubtful: " in said
    assert "03.png" in said
    assert "trust.csv" in said
    assert (tmp_path / "x" / "trust.csv").read_bytes() == (
        tmp_path / "y" / "trust.csv"
    ).read_bytes()
    assert (
        cli.main(
            ["upscale", "--weights", "l2h", "--input", str(photos), "--out", str(tmp_path / "z")]
        )
        == 0
    )
    for r in rows:
        assert (tmp_path / "z" / r["file"]).is_file()
    assert not (tmp_path / "z" / "trust.csv").exists()


def test_upscale_with_trust_refuses_what_cannot_be_right(photos, tmp_path, capsys):
    argv = ["upscale", "--weights", "l2h", "--input", photos, "--out", tmp_path / "out"]
    assert "add --trust" in refused([*argv, "--h2l", "h2l"], capsys)
    assert "are of stage l2h, expected h2l" in refused([*argv, "--trust", "--h2l", "l2h"], capsys)
    assert "nowhere" in refused([*argv, "--trust", "--h2l", "nowhere"], capsys)
    npz = HI[:2].save(tmp_path / "hr.npz")
    assert "the network takes 16x16" in refused(
        [*argv[:3], "--input", npz, *argv[5:], "--trust"], capsys
    )
    assert not (tmp_path / "out").exists()
