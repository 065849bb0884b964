"""A calibration: as usual on its own pictures, of its own networks, whole in its file."""

import json
from dataclasses import replace

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.reliability.calibration import CALIBRATION, Calibration, calibration_of, fingerprint
from hlgan_lib.reliability.signs import SIGNS
from hlgan_lib.reliability.trust import trust

LO, HI = hl.load_faces("faces:val:lo")[:24], hl.load_faces("faces:train-hi")[:48]


def test_the_calibration_set_itself_is_as_usual(networks, calibration):
    found = trust(*networks, LO.batch(), calibration)
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
        trust(*networks, LO.batch(), replace(calibration, networks="others"))
    assert fingerprint(*networks) == calibration.networks != fingerprint(*networks[::-1])


def test_the_shipped_calibration_is_of_the_shipped_networks():
    shipped = Calibration.load(CALIBRATION)
    assert shipped.networks == fingerprint(hl.load_weights("l2h"), hl.load_weights("h2l"))
    assert calibration_of("l2h", "h2l") == shipped
    assert shipped.source == "faces:val"
    assert shipped.n == 200
    stored = json.loads((CALIBRATION.parents[2] / "results" / "trust.json").read_text())
    assert stored["about"]["fingerprint"] == shipped.networks
    assert stored["flag"]["limit"] == pytest.approx(shipped.limit, rel=1e-4)


def test_a_whole_number_beyond_all_integers_of_torch_is_a_number(tmp_path):
    values = json.loads(CALIBRATION.read_text())
    values["grades"][-1] = 10**30
    values["sharp"]["mean"][0] = 10**30
    (tmp_path / "c.json").write_text(json.dumps(values))
    read = Calibration.load(tmp_path / "c.json")
    assert read.grade(torch.zeros(2)).shape == (2,)
    assert read.hr_features().mean[0] == 1e30
