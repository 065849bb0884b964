"""A score: frozen, and stored under the keys that results have."""

import dataclasses
import json

import pytest

import hlgan_lib as hl
from hlgan_lib.metrics import Score

KEYS = ["value", "n", "ci", "floor", "floor_n", "features", "sd", "note"]


def test_a_score_is_stored_under_the_keys_of_evaluate():
    whole = Score(1.5, [1.0, 2.0], 9, "Lite0", floor=0.5, floor_n=4, sd=0.1, note="few")
    stored = whole.as_dict()
    assert list(stored) == KEYS
    assert list(stored.values()) == [1.5, 9, [1.0, 2.0], 0.5, 4, "Lite0", 0.1, "few"]
    assert json.loads(json.dumps(stored)) == stored
    faces = hl.load_faces("faces:val:hi")
    scores = hl.evaluate(faces[:8], faces[8:16], metrics=["kernel_lite0"], n_boot=5)
    assert list(scores["kernel_lite0"]) == KEYS


def test_what_is_not_known_is_none_and_keys_come_in_the_order_asked():
    bare = Score(3.0)
    assert bare.as_dict() == dict.fromkeys(KEYS) | {"value": 3.0}
    assert list(bare.as_dict("ci", "value").items()) == [("ci", None), ("value", 3.0)]
    with pytest.raises(KeyError):
        bare.as_dict("interval")


def test_a_score_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Score(1.0).value = 2.0
