"""What a command wrote may be written again; all else stays, unless --overwrite; inputs always."""

import os

import pytest

from hlgan_lib.commands.outputs import LIST, claim, leftovers, record
from hlgan_lib.errors import HLError


def write(path, text="ours"):
    path.write_text(text)
    return path


def test_only_what_this_command_wrote_is_written_over(tmp_path):
    ours, other = write(tmp_path / "a.png"), write(tmp_path / "b.png")
    record("upscale", tmp_path, [ours])
    claim("upscale", tmp_path, [ours, tmp_path / "new.png"])
    with pytest.raises(HLError, match=r"b.png is there already and hlgan upscale .*1 such files"):
        claim("upscale", tmp_path, [ours, other])
    with pytest.raises(HLError, match="a.png is there already and hlgan degrade did not write it"):
        claim("degrade", tmp_path, [ours])
    claim("upscale", tmp_path, [ours, other], overwrite=True)


def test_a_file_that_was_changed_since_is_no_longer_ours(tmp_path):
    path = write(tmp_path / "a.png")
    record("upscale", tmp_path, [path])
    write(path, "retouched by hand")
    with pytest.raises(HLError, match="or it was changed since"):
        claim("upscale", tmp_path, [path])
    record("upscale", tmp_path, [path])  # the last line of a file counts
    claim("upscale", tmp_path, [path])


def test_links_are_not_written_through(tmp_path):
    original = write(tmp_path / "original.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").symlink_to(original)
    (out / "gone.png").symlink_to(tmp_path / "nowhere")
    for name in ("a.png", "gone.png"):
        with pytest.raises(HLError, match="is there already"):
            claim("upscale", out, [out / name])
    with pytest.raises(HLError, match="a.png is one of the inputs"):
        claim("upscale", out, [out / "a.png"], overwrite=True, inputs=[original])


def test_what_an_earlier_run_left_is_named(tmp_path):
    paths = [write(tmp_path / name) for name in ("a.png", "b.png", "c.png", "d.png")]
    record("upscale", tmp_path, paths)
    paths[2].unlink()
    write(paths[3], "changed by hand")
    assert leftovers("upscale", tmp_path, paths[:1]) == ["b.png"]
    assert leftovers("degrade", tmp_path, []) == []


def test_a_damaged_list_makes_files_nobodys(tmp_path):
    path, odd = write(tmp_path / "a.png"), write(tmp_path / os.fsdecode(b"caf\xe9\n.png"))
    record("upscale", tmp_path, [path])
    with open(tmp_path / LIST, "ab") as file:
        file.write(b'\xff\n[1]\n{"command": 3}\n{"command": "upscale", "name"')
    with open(tmp_path / LIST, "ab") as file:
        file.write(b"\n")
    record("upscale", tmp_path, [odd])
    claim("upscale", tmp_path, [path, odd])
    (tmp_path / LIST).unlink()
    with pytest.raises(HLError, match="is there already"):
        claim("upscale", tmp_path, [path])
