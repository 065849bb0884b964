"""CelebA in its owners' layout: splits, landmarks, identities; lists that are missing."""

import zipfile

import numpy as np
import pytest

from hlgan_lib.data.npz import load_npz
from hlgan_lib.data.storage import load_about, load_columns
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file


def test_splits_landmarks_and_people_are_read(celeba, tmp_path):
    made = prepare("celeba", celeba, tmp_path / "c.npz", split="val")
    assert made.names == ("000003.jpg", "000004.jpg") and made.size == (64, 64)
    assert load_columns(tmp_path / "c.npz")["person"].tolist() == [2883, 2884]
    assert made.images.mean((1, 2, 3)).round() == pytest.approx([90, 120], abs=2)
    assert load_about(tmp_path / "c.npz")["kind"] == "celeba"


def test_the_tight_crop_holds_eyes_and_mouth_in_their_usual_places(celeba):
    from hlgan_lib.prepare.kinds import KINDS
    from hlgan_lib.prepare.trees import open_tree

    kind = KINDS["celeba"]
    plan = kind.plan(open_tree(celeba), kind.options(role="hi", size=64))
    x, y, w, h = plan.jobs[0].faces[0].box
    assert w == h and 90 < w < 125
    for px, py in ((69, 109), (106, 113), (73, 152), (108, 154)):
        assert x < px < x + w and y + 0.2 * h < py < y + 0.85 * h


def test_lists_that_nothing_depends_on_may_be_missing(celeba, tmp_path):
    for name in (
        "list_landmarks_align_celeba.txt",
        "identity_CelebA.txt",
        "list_eval_partition.txt",
    ):
        (celeba / name).unlink()
    made = prepare_file("celeba", celeba, tmp_path / "c.npz")
    assert made.n == 6 and "the middle of each picture" in made.notes[0]
    with pytest.raises(HLError, match="must hold list_eval_partition.txt .*which images"):
        prepare("celeba", celeba, tmp_path / "d.npz", split="train")


def test_the_owners_zip_is_read_in_place_with_the_lists_beside_it(celeba, tmp_path):
    folder = prepare("celeba", celeba, tmp_path / "a.npz", split="train")
    with zipfile.ZipFile(celeba / "img_align_celeba.zip", "w") as file:
        for path in sorted((celeba / "img_align_celeba").iterdir()):
            file.write(path, f"img_align_celeba/{path.name}")
    made = prepare("celeba", celeba / "img_align_celeba.zip", tmp_path / "b.npz", split="train")
    assert made.names == folder.names and np.array_equal(made.images, folder.images)
    assert load_npz(tmp_path / "b.npz").names == folder.names
