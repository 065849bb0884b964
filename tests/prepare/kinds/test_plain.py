"""Kinds without lists of their own: a CSV of boxes, LFW, FFHQ, the authors' archive."""

import tarfile

import pytest

from hlgan_lib.data.storage import load_columns
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file
from tests.prepare.makers import coloured, picture, save, write


def test_a_csv_of_boxes_cuts_several_faces_and_keeps_further_columns(tmp_path):
    root = tmp_path / "own"
    save(root / "Gruppe ä.png", coloured(300, 200, {(20, 20, 70): 200, (150, 60, 80): 90}))
    rows = ["Path;ignored"]
    rows = ["h,file,x,y,w,age", "70,Gruppe ä.png,20,20,70,31", "80,Gruppe ä.png,150,60,80,8"]
    rows += ["80,Gruppe ä.png,left,60,80,8", "9,no.png,1,1,9,3"]
    write(root / "boxes.csv", "\ufeff" + "\n".join(rows))
    made = prepare_file("boxes", root, tmp_path / "b.npz")
    faces = prepare("boxes", root, tmp_path / "b.npz")
    assert faces.names == ("Gruppe ä#0.png", "Gruppe ä#1.png")
    assert faces.images.mean((1, 2, 3)) == pytest.approx([200, 90], abs=1)
    assert load_columns(tmp_path / "b.npz")["age"].tolist() == [31, 8]
    reasons = dict(made.skipped)
    assert "must be numbers" in reasons["Gruppe ä#2.png"] and reasons["no.png"]
    write(tmp_path / "elsewhere.csv", "file,x,y\n")
    with pytest.raises(HLError, match="the columns file,x,y,w,h, got no w, h"):
        prepare("boxes", root, tmp_path / "b.npz", boxes=tmp_path / "elsewhere.csv")


def test_lfw_is_cut_where_its_detector_saw_the_face(tmp_path):
    root = tmp_path / "lfw"
    save(root / "Aaron_Eckhart/Aaron_Eckhart_0001.png", coloured(250, 250, {(68, 68, 114): 120}))
    save(root / "Aaron_Eckhart/notes.png", picture(250, 250))
    with tarfile.open(tmp_path / "lfw.tgz", "w:gz") as archive:
        archive.add(root, "lfw")
    faces = prepare("lfw", tmp_path / "lfw.tgz", tmp_path / "l.npz")
    assert faces.names == ("Aaron_Eckhart/Aaron_Eckhart_0001.png",)
    assert faces.images.mean() == pytest.approx(120, abs=1)


def test_ffhq_is_divided_by_number(tmp_path):
    for i in (0, 59_999, 60_000):
        folder = f"{i // 1000 * 1000:05d}"
        save(tmp_path / f"ffhq/thumbnails128x128/{folder}/{i:05d}.png", picture(128, 128, i % 200))
    names = {
        split: [
            n.rpartition("/")[2]
            for n in prepare("ffhq", tmp_path / "ffhq", tmp_path / "f.npz", split=split).names
        ]
        for split in ("train", "val")
    }
    assert names == {"train": ["00000.png", "59999.png"], "val": ["60000.png"]}


def test_the_authors_archive_by_role_and_part(tmp_path):
    root = tmp_path / "data"
    for inner in ("celea_60000_SFD", "SRtrainset_2", "vggface2/vggcrop_train_lp10"):
        save(root / f"HIGH/{inner}/a.jpg", picture(70, 70, 40))
    save(root / "LOW/wider_lnew/b.jpg", picture(16, 16, 60))
    save(root / "testset/c.jpg", picture(16, 16, 80))
    made = prepare_file("authors", root, tmp_path / "a.npz")
    assert made.n == 3 and "HIGH/SRtrainset_2: 1 pictures" in made.notes
    assert prepare("authors", root, tmp_path / "a.npz", role="lo").names == (
        "LOW/wider_lnew/b.jpg",
    )
    test = prepare("authors", root, tmp_path / "a.npz", role="lo", split="test")
    assert test.names == ("testset/c.jpg",) and test.size == (16, 16)
    with pytest.raises(HLError, match="test set is LR only"):
        prepare("authors", root, tmp_path / "a.npz", split="test")


@pytest.mark.parametrize("kind", ["lfw", "ffhq", "authors", "celeba", "wider", "ls3dw", "boxes"])
def test_an_empty_folder_is_refused_with_what_is_missing(kind, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(HLError, match="must hold"):
        prepare(kind, tmp_path / "in", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()
