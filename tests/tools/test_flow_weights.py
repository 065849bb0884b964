"""The shipped flow: one command trains, resumes and ships it; what is stored is what is shipped."""

import json
import sys
from functools import partial

import pytest

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, read_weights
from hlgan_lib.inference import shipped_weights

TOOL = "flow_weights"


def test_shipped_weights_are_those_of_the_stored_scores(tool, stored):
    path = shipped_weights()[tool.NAME]
    _, metadata = read_weights(path)
    assert {k: metadata[k] for k in ("images", "hi", "l2h")} == {
        k: stored["notes"][k] for k in ("images", "hi", "l2h")
    }
    card = path.with_suffix(".md").read_text("utf-8")
    assert f"PSNR {stored['scores']['camera']['psnr']['value']:.2f} dB" in card
    assert f"{int(metadata['images']):,}" in card and metadata["l2h"] == "l2h-pixel"


def test_it_draws_around_the_shipped_restorer():
    flow, mean = hl.load_weights("flow"), hl.load_weights("l2h-pixel")
    for name, value in mean.state_dict().items():
        assert (flow.mean.state_dict()[name] == value).all(), name


@pytest.mark.slow
def test_one_command_trains_and_ships(tool, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    tool.train(run, updates=2, preset="smoke")
    tool.train(run, updates=2, preset="smoke")  # a finished one is left alone
    monkeypatch.setattr(tool, "score_restorer", partial(tool.score_restorer, n=8))
    monkeypatch.setattr(sys.modules["successors"], "N_FACES", 4)
    into, stored = tmp_path / "weights", tmp_path / "stored.json"
    into.mkdir()
    tool.publish(run, into, stored)
    found = json.loads(stored.read_text())
    assert found["notes"]["images"] == "8" and found["spread"]["n"] == 4
    assert {p.name for p in into.iterdir()} == {
        "flow.jpg",
        "flow.md",
        "flow.safetensors",
        "hashes.json",
    }
    assert hl.load_weights(into / "flow.safetensors").cfg.flow_width == 4
