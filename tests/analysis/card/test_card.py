"""The card: right about the camera itself and bilinear, silent where nothing can be known."""

import json
from pathlib import Path

import pytest
import torch

from hlgan_lib import cli, health
from hlgan_lib.analysis.card import card_files, degradation_card
from hlgan_lib.analysis.card.numbers import OF_FACES, OF_MAKER
from hlgan_lib.analysis.card.words import NO_TRUTH
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.errors import HLError
from hlgan_lib.networks.camera import LearnedCamera
from hlgan_lib.presets import preset

N = 44


def numbers(x):
    """Every {"value", "ci", "n"} in a card."""
    if isinstance(x, dict) and "value" in x:
        yield x
    elif isinstance(x, (dict, list)):
        for v in x.values() if isinstance(x, dict) else x:
            yield from numbers(v)


def test_every_number_has_its_interval_and_survives_json(of_camera, own):
    for card in (of_camera, own):
        found = list(numbers(card))
        assert len(found) > 35
        assert all(n["ci"][0] <= n["value"] <= n["ci"][1] and n["n"] > 0 for n in found)
        assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_the_camera_as_degradation_is_like_the_camera(of_camera):
    learned, real, flat = (of_camera["ways"][k] for k in ("learned", "real", "bilinear"))
    for name in (
        "blur width",
        "left over (noise)",
        "exposure variety",
        "spread over draws",
        "chroma detail",
    ):
        assert (
            learned[name]["ci"][0] < real[name]["ci"][1]
            and real[name]["ci"][0] < learned[name]["ci"][1]
        ), name
        assert not flat[name]["ci"][0] < real[name]["ci"][0] < flat[name]["ci"][1], name
    way = of_camera["way"]
    assert all(
        0.5 < way[k]["value"] < 1.6
        for k in ("left over (noise)", "exposure variety", "warmth variety")
    )
    test = of_camera["distances"]
    assert test["learned"]["two_sample"]["value"] < 0.7 < test["bilinear"]["two_sample"]["value"]
    assert test["learned"]["frechet_lite0"]["value"] < test["bilinear"]["frechet_lite0"]["value"]
    like = of_camera["likeness"]
    learned, flat = like["learned"], like["bilinear"]
    assert all(
        learned[k]["value"] < flat[k]["value"] for k in ("spectrum", "noise curve", "kernel")
    )
    assert of_camera["drawn"]["warmth"]["correlation"]["value"] > 0.8
    assert of_camera["directions"] is None
    assert 0.01 < of_camera["drawn"]["noise alone"]["value"] < real["left over (noise)"]["value"]


def test_without_truth_nothing_is_made_up(own):
    real = own["ways"]["real"]
    assert all(
        real[k] is None for k in (*OF_FACES, *OF_MAKER, "noise curve", "kernel", "kernel width")
    )
    assert (
        own["way"] is None
        and own["drawn"] is None
        and own["law"] is None
        and "real" not in own["distances"]
    )
    assert own["likeness"]["learned"]["noise curve"] is None
    assert own["likeness"]["learned"]["kernel"] is None
    assert real["chroma detail"]["n"] == 120, "what needs no pairs is measured of all LR pictures"
    assert own["ways"]["learned"]["blur width"]["n"] == N, (
        "and H2L's own pictures have a ground truth: its HR faces"
    )
    assert own["verdicts"][0] == NO_TRUTH and not any("the camera's" in v for v in own["verdicts"])


def test_the_alarm_is_that_of_health(own, of_camera):
    z_words = next(c.words for c in health.CHECKS if c.name == "z ignored")
    assert own["z"]["ignored"]
    assert own["z"]["words"] == z_words
    assert f"z: {z_words}." in own["verdicts"]
    assert own["z"]["threshold"] == health.Z_IGNORED == of_camera["z"]["threshold"]
    assert not of_camera["z"]["ignored"] and of_camera["z"]["z_spread"] > 0.03
    ticks = [{"z_spread": own["z"]["z_spread"], "step": i + 1} for i in range(40)]
    assert z_words in health.diagnose(ticks, preset("study"))


def test_files_of_ones_own_faces_say_that_there_is_no_truth(tmp_path, monkeypatch):
    seen = {}

    def measured(degradation, hi, lo, **how):
        seen.update(how, degradation=degradation, n=(len(hi), len(lo)))
        return json.loads((Path(__file__).parents[3] / "results" / "card.json").read_text())

    monkeypatch.setattr("hlgan_lib.analysis.card.degradation_card", measured)
    card, written = card_files("h2l", "faces:train-hi", "faces:train-lo", tmp_path / "out")
    assert [p.name for p in written] == ["card.json", "card.png"]
    assert json.loads(written[0].read_text()) == card
    assert seen["n"] == (600, 600)
    assert not seen["paired"]
    assert seen["truth"] is None
    assert seen["drawn"] is None
    card_files("h2l", "faces:val", "faces:val", tmp_path / "pairs")
    assert seen["paired"]
    assert seen["truth"] == "camera"
    assert len(seen["drawn"]["gamma"]) == 200 == seen["n"][0]
    with pytest.raises(HLError, match="is a file"):
        card_files("h2l", "faces:val", "faces:val", written[0])


def test_the_command_prints_the_verdicts_and_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    given = []
    made = {"verdicts": [NO_TRUTH, "z is used."]}, [tmp_path / "card.json"]
    monkeypatch.setattr(
        "hlgan_lib.analysis.card.card_files", lambda *args: given.append(args) or made
    )
    argv = [
        "card",
        "--weights",
        "h2l",
        "--hi",
        "HR",
        "--lo",
        "LR",
        "--out",
        str(tmp_path),
        "--seed",
        "3",
    ]
    assert cli.main(argv) == 0 and given == [("h2l", "HR", "LR", tmp_path, 3)]
    assert capsys.readouterr().out.splitlines() == [
        NO_TRUTH,
        "z is used.",
        f"wrote {tmp_path / 'card.json'}",
    ]
    monkeypatch.undo()
    assert cli.main(argv) == 2 and "no such folder or file: HR" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lo": torch.zeros(9, 3, 16, 16)}, "at least 40 faces"),
        ({"hi": torch.zeros(50, 3, 64, 64)}, "must show the same faces"),
        ({"truth": "sky"}, "truth must be"),
        ({"truth": "camera", "paired": False}, "pairs taken by Camera"),
    ],
)
def test_errors_say_what_to_do(faces, change, message):
    given = {"hi": faces[0], "lo": faces[1], "paired": True} | change
    with pytest.raises(HLError, match=message):
        degradation_card(lambda x, _: bilinear(x), given.pop("hi"), given.pop("lo"), **given)


def test_the_law_of_a_learned_camera_is_read_off(faces):
    torch.manual_seed(0)
    net = LearnedCamera(preset("smoke"))
    law = degradation_card(net, *faces, paired=False, n_boot=20, n_z=0)["law"]
    mean, spread = law["numbers"]["exposure"]["learned"]
    assert abs(mean) < 0.02 and abs(spread - 0.2) < 0.02, "where the law of exposure starts"
    assert "camera" not in law["numbers"]["exposure"] and set(law["keeps"]) == {"learned"}
    assert abs(law["keeps"]["learned"]["light"] - 1) < 0.2
