"""AFLW in its owners' layout: a database of faces, some without a box or a photograph."""

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file
from tests.prepare.makers import aflw_of, zipped


@pytest.fixture
def aflw(tmp_path):
    return aflw_of(tmp_path / "aflw")


def test_several_faces_of_a_photograph_by_their_boxes(aflw, tmp_path):
    made = prepare_file("aflw", aflw, tmp_path / "a.npz")
    faces = prepare("aflw", aflw, tmp_path / "a.npz")
    assert faces.names == ("0/image00002#39341.png", "0/image00002#39342.png")
    assert faces.images.mean((1, 2, 3)) == pytest.approx([200, 90], abs=1)
    reasons = dict(made.skipped)
    assert reasons["0/image00002#39343.png"] == "has no box in FaceRect"
    assert reasons["2/image00013#39344.jpg"] == "its photograph is missing"


def test_an_archive_of_it_is_read_in_place(aflw, tmp_path):
    archive = zipped(aflw, tmp_path / "aflw.zip")
    assert len(prepare("aflw", archive, tmp_path / "a.npz")) == 2


def test_another_database_is_refused_in_one_line(aflw, tmp_path):
    (aflw / "data/aflw.sqlite").write_bytes(b"no database" * 200)
    with pytest.raises(HLError, match="must be AFLW's database, got"):
        prepare("aflw", aflw, tmp_path / "a.npz")
    (aflw / "data/aflw.sqlite").unlink()
    with pytest.raises(HLError, match="must hold aflw.sqlite"):
        prepare("aflw", aflw, tmp_path / "a.npz")
