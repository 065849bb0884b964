"""Names of outputs, folders that are refused, pictures matched by name, the demo's sheet."""

import pytest
import torch

from hlgan_lib.commands.pictures import check_folder, output_names, sheet
from hlgan_lib.errors import HLError


def test_outputs_keep_names_and_none_is_taken_twice():
    names = ("a/b.jpg", "c.png", "c.jpg", "notes.v2")
    assert output_names(names, [""]) == ["a/b.png", "c.png.png", "c.jpg.png", "notes.v2.png"]
    assert output_names(("a.jpg",), ["_z0", "_z1"]) == ["a_z0.png", "a_z1.png"]
    for unsafe in ("../a.png", "/a.png"):
        with pytest.raises(HLError, match="leads out of --out: rename it"):
            output_names(("b.png", unsafe), [""])
    with pytest.raises(HLError, match="two pictures of the input would be written as a.png.png"):
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


def test_a_name_that_no_file_system_takes_is_refused_before_the_work():
    with pytest.raises(HLError, match="longer than 255 bytes would be written, a/yyy.*: rename it"):
        output_names(("a/" + "y" * 250 + ".png",), ["_z0", "_z1"])
    assert len(output_names(("y" * 251 + ".png",), [""])[0]) == 255


def test_the_sheet_enlarges_without_smoothing():
    x = torch.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2).expand(1, 3, 2, 2)
    shown = sheet({"LR": x}, tile=8, margin=84)
    assert shown.shape == (3, 10, 94)
    assert (shown[:, :8, 84:88] == 0).all() and (shown[:, :8, 88:92] == 255).all()
