"""Damaged files of every kind are read or refused in one line: the start of `make fuzz`."""

from tests.faults.fuzz import fuzz

# What is refused where it is damaged; a log loses its line, a cache is made anew.
KINDS = {"weights", "FaceSet", "config.json", "scores.json", "checkpoint", "results"}


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    report = fuzz(240, 0, tmp_path)
    assert report.faults == []
    assert KINDS | {"calibration", "cache", "log.jsonl"} <= report.seconds.keys()
    assert all(report.refused[kind] for kind in KINDS)  # the damage is damage
    assert report.read.total() > 30  # and the rest is still read
    assert report.refused["cache"] == 0


def test_damaged_datasets_are_read_or_refused_in_one_line(tmp_path):
    report = fuzz(60, 0, tmp_path, what="datasets")
    assert report.faults == []
    assert {"picture", "dataset", "zip", "tar"} <= report.seconds.keys()
    assert report.read["dataset"] > 5 and report.refused.total() > 5


def test_the_same_number_is_the_same_input(tmp_path):
    a, b = (fuzz(3, 0, tmp_path / name, first=5) for name in "ab")
    assert (a.read, a.refused) == (b.read, b.refused)
