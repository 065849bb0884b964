"""Several LR domains in one set: a folder a domain, found again by the names."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.data.domains import by_domain, mixed
from hlgan_lib.errors import HLError
from hlgan_lib.files import save_png
from tests.helpers import HI, LO


def test_what_is_mixed_is_found_again():
    both = mixed({"web": LO[:5], "old": LO[5:12]})
    assert both.names[:2] == ("old/5.png", "old/6.png") and len(both) == 12
    parts = by_domain(both, 2)
    assert list(parts) == ["old", "web"]
    assert (parts["web"].images == LO[:5].images).all()
    assert (parts["old"].images == LO[5:12].images).all()
    assert by_domain(LO, 1)[LO.source] is LO


def test_a_folder_of_folders_and_a_file_of_it_keep_their_domains(tmp_path):
    for domain, picture in (("b", 0), ("a", 1), ("a", 2)):
        (tmp_path / "lo" / domain).mkdir(parents=True, exist_ok=True)
        save_png(tmp_path / "lo" / domain / f"{picture}.png", torch.tensor(LO.images[picture]))
    read = hl.load_faces(tmp_path / "lo", 8)
    read.save(tmp_path / "lo.npz")
    for faces in (read, hl.load_faces(tmp_path / "lo.npz")):
        assert {name: len(part) for name, part in by_domain(faces, 2).items()} == {"a": 2, "b": 1}


def test_other_folders_than_expected_are_named():
    both = mixed({"old": LO[:3], "web": LO[3:6]})
    with pytest.raises(HLError, match=r"3 folders, a domain each \(domains 3\), got old, web in"):
        by_domain(both, 3)
    with pytest.raises(HLError, match="got none and pictures outside"):
        by_domain(LO, 2)
    with pytest.raises(HLError, match="be of one size"):
        mixed({"old": LO, "web": HI})
    with pytest.raises(HLError, match="named by a folder each"):
        mixed({"old/er": LO})
