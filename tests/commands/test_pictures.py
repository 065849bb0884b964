"""Names of outputs, folders that are refused, pictures matched by name, the demo's sheet."""

import numpy as np
import pytest
import torch

from hlgan_lib.commands.pictures import check_folder, in_order_of, output_names, sheet
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.errors import HLError


def faces(*names):
    images = np.arange(len(names), dtype=np.uint8)[:, None, None, None].repeat(3, 1)
    return FaceSet(images.repeat(4, 2).repeat(4, 3), names, "made")


def test_outputs_keep_names_and_none_is_taken_twice():
    names = ("a/b.jpg", "c.png", "c.jpg", "notes.v2")
    assert output_names(names, [""]) == ["a/b.png", "c.png.png", "c.jpg.png", "notes.v2.png"]
    assert output_names(("a.jpg",), ["_z0", "_z1"]) == ["a_z0.png", "a_z1.png"]
    for unsafe in ("../a.png", "/a.png"):
        with pytest.raises(HLError, match="leads out of --out: rename it"):
            output_names(("b.png", unsafe), [""])
    with pytest.raises(HLError, match="come twice"):
        output_names(("a.png", "a.png"), [""])


def test_a_folder_of_inputs_and_a_file_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(HLError, match="is a file: choose a folder"):
        check_folder(tmp_path / "file", tmp_path / "in")
    with pytest.raises(HLError, match="lies in the folder of the inputs"):
        check_folder(tmp_path / "in" / "out", tmp_path / "in")
    check_folder(tmp_path / "out", tmp_path / "in")
    check_folder(tmp_path / "out", "faces:val")


def test_pictures_are_matched_by_name_without_the_ending():
    ordered = in_order_of(faces("b.png", "a.png"), faces("a.jpg", "b.jpg"))
    assert ordered.names == ("b.jpg", "a.jpg") and ordered.images[:, 0, 0, 0].tolist() == [1, 0]
    with pytest.raises(HLError, match=r"--lo needs .* \(c.png has no partner\)"):
        in_order_of(faces("a.png", "c.png"), faces("a.jpg", "b.jpg"), "--lo")


def test_the_sheet_enlarges_without_smoothing():
    x = torch.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2).expand(1, 3, 2, 2)
    shown = sheet({"LR": x}, tile=8, margin=84)
    assert shown.shape == (3, 10, 94)
    assert (shown[:, :8, 84:88] == 0).all() and (shown[:, :8, 88:92] == 255).all()
