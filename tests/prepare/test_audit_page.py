"""The page needs nothing beside itself, shows what was found, and trusts no file name."""

import re

import numpy as np

from hlgan_lib import cli
from hlgan_lib.data.builtin import built_in
from hlgan_lib.data.faces import FaceSet


def test_the_command_writes_one_page_with_everything_inside(tmp_path, capsys):
    images = built_in("faces:test", "hi").images[:30]
    names = ["<script>alert(1)</script>.png", 'a"onload="x.png', "line\nbreak.png"]
    names += [f"{i}.png" for i in range(3, 30)]
    images = np.concatenate([images[:29], images[:1]])
    FaceSet(images, tuple(names), "made").save(tmp_path / "set.npz")
    out = tmp_path / "page.html"
    assert cli.main(["audit", str(tmp_path / "set.npz"), "--out", str(out)]) == 0
    assert "1 images are copies of others, byte by byte" in capsys.readouterr().out
    text = out.read_text()
    assert "<script" not in text and "&lt;script&gt;" in text
    assert 'a"onload' not in text and "line\\nbreak.png" in text
    addresses = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert addresses and all(address.startswith("data:image/") for address in addresses)
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall(r"<img[^>]*>", text))


def test_another_ending_is_refused(tmp_path, capsys):
    assert cli.main(["audit", "faces:val", "--out", str(tmp_path / "a.pdf")]) == 2
    assert "must be a file that ends in .html" in capsys.readouterr().err
