"""The words of a card follow its numbers."""

import json
from pathlib import Path

from hlgan_lib.analysis.card.words import NO_TRUTH, apart, verdicts

N = 44


def test_words_follow_the_numbers(of_camera):
    text = "\n".join(of_camera["verdicts"])
    assert "Noise: " in text and "Directions" not in text
    changed = json.loads(json.dumps(of_camera))
    changed["ways"]["learned"]["blur width"] = {"value": 9.0, "ci": [8.9, 9.1], "n": N}
    assert any(
        v.startswith("Blur: 9 px against the camera's") and ": more," in v
        for v in verdicts(changed)
    )
    changed["ways"]["learned"]["blur width"] = {"value": 0.5, "ci": [0.4, 0.6], "n": N}
    assert any(v.startswith("Blur: 0.5 px") and ": less," in v for v in verdicts(changed))


def test_the_words_of_the_stored_card_are_those_of_its_numbers():
    stored = json.loads((Path(__file__).parents[3] / "results" / "card.json").read_text())
    assert verdicts(stored) == stored["verdicts"]


def test_without_pairs_nothing_is_compared_that_needs_them(own):
    said = verdicts(own)
    assert said[0] == NO_TRUTH and "the real pictures'" in "".join(said)
    assert not any(sentence.startswith(("Blur", "Noise", "Kernel", "Variety")) for sentence in said)


def test_a_network_without_directions_beyond_chance_is_said_to_have_none(of_camera):
    changed = of_camera | {
        "directions": {
            "names": ["blur width", "warmth"],
            "table": [[0.1, -0.9], [0.2, 0.1]],
            "strength": [0.5, 0.1],
            "chance": [0.2, 0.2],
        }
    }
    assert verdicts(changed)[-1] == "Directions of z control: 1 warmth (r = -0.90)."
    changed["directions"]["strength"] = [0.1, 0.1]
    assert verdicts(changed)[-1] == "Directions of z control: nothing beyond chance."


def test_apart_means_that_the_intervals_do_not_meet():
    low, mid, high = ({"ci": ci} for ci in ([0, 1], [0.9, 2], [1.5, 3]))
    assert [apart(low, mid), apart(low, high), apart(high, low)] == [0, -1, 1]
