"""The shipped faces: sizes, pairs, nobody in two sets, the camera's parameters."""

import hashlib

import numpy as np
import pytest
import torch

from hlgan_lib.data import builtin
from hlgan_lib.data.builtin import built_in, load_camera_params
from hlgan_lib.data.faces import FaceSet, Pairs
from hlgan_lib.errors import HLError


@pytest.mark.parametrize(
    "name, n, size",
    [
        ("faces:train-hi", 3000, 64),
        ("faces:train-lo", 4800, 16),
        ("faces:val:hi", 200, 64),
        ("faces:val:lo", 200, 16),
        ("faces:test:hi", 600, 64),
        ("faces:test:lo", 600, 16),
    ],
)
def test_sets_have_their_size(name, n, size):
    faces = built_in(name)
    assert len(faces) == n
    assert faces.size == (size, size)
    assert faces.images.dtype == np.uint8 and not faces.images.flags.writeable
    assert faces.images is built_in(name).images  # decoded once
    assert faces.images.reshape(n, -1).std(1).min() > 3  # no empty tile
    assert len(set(faces.names)) == n


def similarity(a, b):
    return torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1]


@pytest.mark.parametrize("name", ["faces:val", "faces:test"])
def test_pairs_show_the_same_face(name):
    pairs = built_in(name)
    assert pairs.hi.names == pairs.lo.names
    hi = torch.nn.functional.avg_pool2d(pairs.hi.batch().mean(1, keepdim=True), 4)
    lo = pairs.lo.batch().mean(1, keepdim=True)
    own = np.mean([similarity(h, s) for h, s in zip(hi, lo, strict=True)])
    other = np.mean([similarity(h, s) for h, s in zip(hi, lo.roll(1, 0), strict=True)])
    assert own > 0.75 > other + 0.2


def test_sets_share_nobody():
    people = {}
    for name in ("faces:train-hi", "faces:train-lo", "faces:val:hi", "faces:test:hi"):
        people[name] = {file[:5] for file in built_in(name).names}
    assert [len(p) for p in people.values()] == [3000, 1200, 200, 600]
    assert len(set().union(*people.values())) == 5000


def test_names_tell_the_person_and_the_shot():
    assert built_in("faces:val:hi").names[0].count("-") == 0
    person = built_in("faces:train-lo").names[0].split("-")[0]
    assert built_in("faces:train-lo").names[:4] == tuple(f"{person}-{k}.png" for k in range(4))


def test_files_are_whole_and_small():
    sums = builtin._meta()["sha256"]
    assert len(sums) == 8
    for file, wanted in sums.items():
        assert hashlib.sha256((builtin.SHIPPED / file).read_bytes()).hexdigest() == wanted, file
    assert sum(p.stat().st_size for p in builtin.SHIPPED.iterdir()) < 20e6


def test_a_side_is_picked_by_name_or_by_role():
    assert isinstance(built_in("faces:val"), Pairs)
    assert built_in("faces:val", "lo").size == built_in("faces:val:lo").size == (16, 16)
    assert isinstance(built_in("faces:train-hi"), FaceSet)


@pytest.mark.parametrize(
    "name, role, message",
    [
        ("faces:vla", None, "must be one of faces:train-hi"),
        ("faces:val:mid", None, "with :hi or :lo"),
        ("faces:train-lo", "hi", "use faces:train-hi"),
        ("faces:train-hi:lo", None, "use faces:train-lo"),
        ("faces:val:hi", "lo", "use faces:val:lo"),
    ],
)
def test_wrong_names_say_what_to_use(name, role, message):
    with pytest.raises(HLError, match=message):
        built_in(name, role)


def test_missing_files_say_install_again(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "SHIPPED", tmp_path)
    builtin._meta.cache_clear()
    with pytest.raises(HLError, match="the shipped faces are missing .*: install hlgan_lib again"):
        built_in("faces:train-hi")


def test_camera_parameters_come_with_val_and_test():
    for name, n in (("faces:val", 200), ("faces:test", 600)):
        params = load_camera_params(name)
        assert params["white_balance"].shape == (n, 3)
        assert params["sensor_px"].min() >= 16
    with pytest.raises(HLError, match="faces:val and faces:test, got faces:train-lo"):
        load_camera_params("faces:train-lo")
