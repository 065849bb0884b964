"""The page needs nothing beside itself, shows what was found, and trusts no file name."""

import re

import numpy as np

from hlgan_lib import cli
from hlgan_lib.data.builtin import built_in
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.prepare.audit import audit
from hlgan_lib.prepare.audit_page import page


def test_the_command_writes_one_page_with_everything_inside(tmp_path, capsys):
    images = built_in("faces:test", "hi").images[:30]
    names = ["<script>alert(1)</script>.png", 'a"onload="x.png', "line\nbreak.png"]
    names += [f"{i}.png" for i in range(3, 30)]
    images = np.concatenate([images[:29], images[:1]])
    FaceSet(images, tuple(names), "made").save(tmp_path / "set.npz")
    out = tmp_path / "page.html"
    assert cli.main(["audit", str(tmp_path / "set.npz"), "--out", str(out)]) == 0
    assert "1 image is a copy of another, byte by byte" in capsys.readouterr().out
    text = out.read_text()
    assert "<script" not in text and "&lt;script&gt;" in text
    assert 'a"onload' not in text and "line\\nbreak.png" in text
    addresses = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert addresses and all(address.startswith("data:image/") for address in addresses)
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall(r"<img[^>]*>", text))


def test_another_ending_is_refused(tmp_path, capsys):
    assert cli.main(["audit", "faces:val", "--out", str(tmp_path / "a.pdf")]) == 2
    assert "must be a file that ends in .html" in capsys.readouterr().err


def test_what_two_files_share_stands_beside_each_other_and_what_they_do_not_is_one_line(tmp_path):
    images = built_in("faces:test", "hi").images[:40]
    for name, part in (("a", images[:20]), ("b", images[19:39])):
        FaceSet(part, tuple(f"{name}{i}.png" for i in range(20)), "made").save(
            tmp_path / f"{name}.npz"
        )
    text = page(audit([str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "faces:val:hi"]))
    assert text.count(" beside ") == 1 and "a19.png and b0.png: 1.000" in text
    assert text.count("no pair is nearly the same") == 2
    assert text.count("as written") == 2 and text.count("no file") == 1
