"""Archives of strangers: nothing is written, what cannot be read is counted, named and survived."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from hlgan_lib.data.npz import load_npz
from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare, prepare_file, trees
from hlgan_lib.prepare.trees import open_tree
from tests.prepare.makers import picture, png_bytes, save

GOOD = png_bytes(picture(70, 70, 90))
BAD_NAMES = ("../climbs.png", "/etc/absolute.png", "a/../../b.png", "..\\windows.png", "C:/x.png")


def in_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for kind, name in ((tarfile.SYMTYPE, "link.png"), (tarfile.LNKTYPE, "hard.png")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("pipe.png")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
    return path


def in_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return path


@pytest.mark.parametrize(("make", "name"), [(in_tar, "x.tar.gz"), (in_zip, "x.zip")])
def test_what_leads_out_of_an_archive_is_left_out_and_named(make, name, tmp_path):
    members = [(bad, GOOD) for bad in BAD_NAMES]
    members += [("empty.png", b""), ("good.png", GOOD), ("目录/ż\n.png", GOOD)]
    archive = make(tmp_path / name, members)
    made = prepare_file("folder", archive, tmp_path / "out/set.npz")
    assert sorted(load_npz(made.path).names) == ["good.png", "目录/ż\n.png"]
    reasons = dict(made.skipped)
    for bad in BAD_NAMES:
        assert reasons[bad] == "its name leads out of the archive"
    assert reasons["link.png"] == "is a link" and "empty.png" in reasons
    if make is in_tar:
        assert reasons["hard.png"] == "is a link" and reasons["pipe.png"] == "is no file"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["out", "set.npz", name]


JUNK = (".ipynb_checkpoints/a.png", "@eaDir/a.png/THUMB.png", "__MACOSX/._a.png", "sub/.hidden.png")


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_hidden_files_and_caches_are_no_pictures(kind, tmp_path):
    members = [(name, GOOD) for name in ("a.png", "./sub/b.png", *JUNK)]
    if kind == "folder":
        for name, content in members:
            (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "x" / name).write_bytes(content)
        tree = open_tree(tmp_path / "x")
    elif kind == "tar":
        tree = open_tree(in_tar(tmp_path / "x.tar", members))
    else:
        tree = open_tree(in_zip(tmp_path / "x.zip", members))
    assert [name.removeprefix("./") for name in tree.files] == ["a.png", "sub/b.png"]


def test_links_of_a_folder_are_followed_none_twice_and_named_where_they_lead_nowhere(tmp_path):
    save(tmp_path / "elsewhere/a.png", picture(70, 70, 90))
    save(tmp_path / "in/own.png", picture(70, 70, 60))
    for link, to in (("more", "elsewhere"), ("again", "in"), ("gone.png", "nowhere")):
        (tmp_path / "in" / link).symlink_to(tmp_path / to)
    made = prepare_file("folder", tmp_path / "in", tmp_path / "out/set.npz")
    assert list(load_npz(made.path).names) == ["more/a.png", "own.png"]
    assert [name for name, _ in made.skipped] == ["again", "gone.png"]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "MAX_BYTES", 100_000)
    bomb = b"\0" * 30_000_000
    for archive in (
        in_zip(tmp_path / "b.zip", [("bomb.png", bomb), ("good.png", GOOD)]),
        in_tar(tmp_path / "b.tgz", [("bomb.png", bomb), ("good.png", GOOD)]),
    ):
        made = prepare_file("folder", archive, tmp_path / "s.npz")
        assert made.n == 1 and "must be at most 0 MB" in dict(made.skipped)["bomb.png"]


def test_a_zip_that_lies_about_its_sizes_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "MAX_BYTES", 100_000)
    archive = in_zip(tmp_path / "b.zip", [("bomb.png", b"\0" * 300_000), ("good.png", GOOD)])
    content = archive.read_bytes().replace(
        (300_000).to_bytes(4, "little"), (999).to_bytes(4, "little")
    )
    archive.write_bytes(content)
    made = prepare_file("folder", archive, tmp_path / "s.npz")
    assert made.n == 1 and "bomb.png" in dict(made.skipped)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "MAX_FILES", 3)
    archive = in_zip(tmp_path / "b.zip", [(f"{i}.png", GOOD) for i in range(5)])
    with pytest.raises(HLError, match="at most 3 files"):
        open_tree(archive)


def test_odd_pictures_of_a_folder_are_survived(tmp_path):
    root = tmp_path / "in"
    save(root / "a\nb.png", picture(70, 70))
    frames = [picture(70, 70, level) for level in (200, 20)]
    frames[0].save(root / "moving.gif", save_all=True, append_images=frames[1:])
    from PIL import Image

    deep = Image.fromarray((np.ones((70, 70)) * 32768).astype(np.uint16))
    deep.save(root / "deep.png")
    (root / "zero.png").write_bytes(b"")
    (root / "loop").symlink_to(root)
    faces = prepare("folder", root, tmp_path / "s.npz")
    assert faces.names == ("a\nb.png", "deep.png", "moving.gif")
    assert faces.images.mean((1, 2, 3))[1:] == pytest.approx([128, 200], abs=3)


def test_mutated_archives_and_pictures_end_in_one_line_or_a_set(tmp_path):
    rng = np.random.default_rng(0)
    held = io.BytesIO()
    picture(70, 70, 90).save(held, "jpeg")
    members = [("good.png", GOOD), ("other.jpg", held.getvalue())]
    wholes = [in_zip(tmp_path / "w.zip", members), in_tar(tmp_path / "w.tar.gz", members)]
    for whole in wholes:
        content = whole.read_bytes()
        for _ in range(60):
            bad = bytearray(content)
            for place in rng.integers(0, len(bad), rng.integers(1, 20)):
                bad[place] = rng.integers(256)
            path = tmp_path / f"m{''.join(whole.suffixes)}"
            path.write_bytes(bad[: rng.integers(len(bad) // 2, len(bad) + 1)])
            try:
                assert prepare_file("folder", path, tmp_path / "m.npz").n in (1, 2)
            except HLError as error:
                assert "\n" not in str(error)
    assert {p.name for p in tmp_path.iterdir()} <= {
        "w.zip", "w.tar.gz", "m.zip", "m.tar.gz", "m.npz"
    }  # fmt: skip


def test_what_is_no_archive_is_one_line(tmp_path):
    for name in ("x.zip", "x.tar", "x.tgz"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(HLError, match="archive, got"):
            open_tree(tmp_path / name)
    with pytest.raises(HLError, match="must be a folder, or a .zip or .tar archive, got "):
        open_tree(tmp_path / "nowhere")
