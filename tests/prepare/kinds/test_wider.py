"""WIDER FACE in its owners' layout: odd rows, the order of the flags, the part that is held out."""

import pytest

from hlgan_lib.data.storage import load_columns
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file
from hlgan_lib.prepare.kinds.wider import images_of
from hlgan_lib.prepare.plan import Plan


def test_faces_of_the_right_size_with_their_flags_by_column(wider, tmp_path):
    made = prepare_file("wider", wider, tmp_path / "w.npz", split="all")
    faces = prepare("wider", wider, tmp_path / "w.npz", split="all")
    names = ["0--Parade/0_Parade_a_1#0.png", "0--Parade/0_Parade_a_1#1.png"]
    names += ["1--Handshaking/1_c_3#0.png", "2--Riot/2_d_4.png"]
    assert list(faces.names) == names and faces.size == (16, 16)
    assert faces.images[0].min() == faces.images[0].max() == 200, "cut exactly, not resampled"
    flags = load_columns(tmp_path / "w.npz")
    # The third row is marked invalid in the eighth column; read as torchvision names them, the
    # first would be called invalid for its occlusion.
    assert flags["blur"].tolist() == [2, 0, 0, 0]
    assert flags["occlusion"].tolist() == [1, 0, 0, 0]
    assert flags["pose"].tolist() == [0, 1, 0, 0]
    reasons = dict(made.skipped)
    assert "0 wide and 12 high" in reasons["0--Parade/0_Parade_a_1#3.png"]
    assert "-5 wide" in reasons["0--Parade/0_Parade_a_1#4.png"]
    assert "box must lie in the picture" in reasons["1--Handshaking/1_c_3#1.png"]
    assert reasons["1--Handshaking/missing.png"] == "is not in WIDER_train/images"
    said = " ".join(made.notes)
    assert "1 boxes are marked invalid" in said
    assert "1 face is smaller than 16" in said and "1 face is larger than 24" in said


def test_boxes_agree_with_torchvisions_reader(wider):
    from torchvision.datasets import WIDERFace

    root = wider.parent / "tv"
    root.mkdir()
    (root / "widerface").symlink_to(wider)
    (wider / "WIDER_test").mkdir()
    text = (wider / "wider_face_split/wider_face_train_bbx_gt.txt").read_text()
    ours = [rows for _, rows in images_of(text, Plan())]
    theirs = WIDERFace(str(root), "train", download=False).img_info
    for mine, other in zip(ours, theirs, strict=True):
        boxes = other["annotations"]["bbox"].tolist()
        if not mine:  # torchvision keeps the row of zeros as a box
            assert boxes == [[0, 0, 0, 0]]
            continue
        assert [row[:4] for row in mine] == boxes
        assert [row[7] for row in mine] == other["annotations"]["occlusion"].tolist(), "its mistake"


def test_photographs_are_held_out_whole(wider, tmp_path):
    parts = {}
    for split in ("train", "test"):
        parts[split] = prepare("wider", wider, tmp_path / "w.npz", split=split, n_held_out=2).names
    photographs = {part: {n.partition("#")[0] for n in names} for part, names in parts.items()}
    assert len(parts["test"]) == 2 and parts["train"]
    assert not photographs["train"] & photographs["test"]
    with pytest.raises(HLError, match="--n-held-out must be 1 to 4"):
        prepare("wider", wider, tmp_path / "w.npz", split="test")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.jpg\nmany\n", "number of boxes, got 'many'"),
        ("a.jpg", "number of boxes, got ''"),
        ("a.jpg\n1\n1 2 3\n", "rows of ten numbers"),
        ("a.jpg\n2\n1 1 9 9 0 0 0 0 0 0\n", "must have 2 boxes, got 1"),
        ("noise\na.jpg\n0\n", "no line of the list"),
    ],
)
def test_a_broken_list_is_named_and_survived(text, reason):
    made = Plan()
    rest = "b.jpg\n1\n1 1 9 9 0 0 0 0 0 0\n"
    held = dict(images_of(text if text == "a.jpg" else text + rest, made))
    assert any(reason in said for _, said in made.skipped)
    assert text == "a.jpg" or held["b.jpg"] == [[1, 1, 9, 9, 0, 0, 0, 0, 0, 0]]
