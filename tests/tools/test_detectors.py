"""The comparison of face detectors: seeded pictures, and nothing said that was not measured."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hlgan_lib.prepare import detector

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "results"))
import detectors  # noqa: E402

CHOSEN = "Haar alt2, 2x, 5 neighbours"


@pytest.fixture(scope="module")
def rows():
    return json.loads(detectors.RESULT.read_text())["rows"]


def test_the_page_holds_the_stored_numbers(rows):
    assert detectors.table(rows) in detectors.PAGE.read_text()


def test_the_library_frames_by_what_was_measured(rows):
    assert rows[CHOSEN]["framing"] == [detector.SCALE, detector.RIGHT, detector.DOWN]
    assert (detector.LARGEST, detector.N_NEAR) == (2, 5)


def test_a_group_is_seeded_and_its_faces_lie_in_it():
    faces = np.full((3, 3, 64, 64), 200, np.uint8)
    one, two = (
        detectors.group(faces, 48, "bad camera", np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(one.image, two.image) and one.image.shape == (480, 640, 3)
    assert len(one.frames) == 3
    for x, y, side in one.frames:
        assert 0 <= x <= 640 - side and 0 <= y <= 480 - side and 43 <= side <= 53


def test_overlap_and_framing_by_hand():
    assert detectors.overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert detectors.overlap((0, 0, 10, 10), (20, 0, 10, 10)) == 0
    assert detectors.framed((10, 10, 20, 10), (2.0, 0.0, 0.5)) == (0, 5, 40, 40)


def test_recall_counts_frames_and_false_alarms_count_boxes(monkeypatch):
    picture = detectors.Group(np.zeros((9, 9, 3), np.uint8), [(0, 0, 20), (100, 0, 20)])
    monkeypatch.setattr(detectors, "groups", lambda *a, **k: [picture])
    found = [(0.0, 0.0, 20.0, 20.0), (300.0, 0.0, 20.0, 20.0)]
    row = detectors.scored(lambda image: found, [picture.image])
    n = len(detectors.CONDITIONS) * len(detectors.SIZES)
    assert row["recall_all"] == 0.5 and row["pictures"] == n
    assert row["false_alarms_groups"] == n and row["false_alarms_empty"] == 2
