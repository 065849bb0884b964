"""A reference set goes through a network once; nothing else is taken for it; damage is mended."""

from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.metrics import feature_cache, protocols, set_scores
from hlgan_lib.metrics.protocols import CLEAN, PAPER
from hlgan_lib.metrics.set_scores import features_of

ABOUT = {"network": "n", "protocol": {"name": "clean"}}


@pytest.fixture
def pictures():
    return torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Counting:
    """A feature network of six numbers that counts the pictures it is shown."""

    def __init__(self):
        self.seen = 0
        self.network = set_scores.Network("means and spreads, 6 numbers", 6, lambda device: self)

    def __call__(self, x):
        self.seen += len(x)
        return torch.cat((x.mean((2, 3)), x.std((2, 3))), 1)


def entries():
    return sorted(feature_cache.folder().glob("*"))


def test_second_call_does_not_run_the_network(pictures):
    net = Counting()
    first = features_of(pictures, CLEAN, net.network, made=False)
    again = features_of(pictures.clone(), CLEAN, net.network, made=False)
    assert net.seen == 6 and torch.equal(first, again) and again.dtype == torch.float64
    assert len(entries()) == 1


def test_evaluate_extracts_its_reference_once(monkeypatch):
    net = Counting()
    monkeypatch.setitem(set_scores.NETWORKS, "lite0", net.network)
    faces = hl.load_faces("faces:val:hi")
    one = hl.evaluate(faces[:10], faces[10:40], metrics=["frechet_lite0"], n_boot=5)
    assert net.seen == 10 + 20
    two = hl.evaluate(faces[:10], faces[10:40], metrics=["frechet_lite0"], n_boot=5)
    assert net.seen == 10 + 20 + 10 and one == two, "only the made pictures are seen again"


def test_made_pictures_are_not_kept(pictures):
    net = Counting()
    features_of(pictures, CLEAN, net.network, made=True)
    assert entries() == []


def test_other_pictures_protocols_networks_and_devices_never_share_an_entry(pictures):
    changed = pictures.clone()
    changed[5, 2, 7, 7] += 1e-6
    levels = hl.FaceSet((pictures * 255).byte().numpy(), tuple("abcdef"), "made")
    sets = [
        pictures,
        changed,
        pictures.flip(0),
        pictures[:5],
        pictures.double(),
        pictures.reshape(6, 3, 4, 16),
        levels,
    ]
    abouts = [
        ABOUT | {"network": "m"},
        ABOUT | {"device": "cuda"},
        ABOUT | {"protocol": {"name": "paper"}},
    ]
    keys = [feature_cache.digest(x, ABOUT) for x in sets] + [
        feature_cache.digest(pictures, a) for a in abouts
    ]
    assert len(set(keys)) == len(keys)
    nets = Counting(), Counting()
    same = nets[0].network._replace(description="another network, 6 numbers")
    for protocol in (CLEAN, PAPER, *map(protocols.one_step, protocols.STEPS)):
        for network in (nets[0].network, same):
            features_of(pictures, protocol, network, made=False)
    assert nets[0].seen == 7 * 2 * 6 and len(entries()) == 14


DAMAGE = {
    "cut short": lambda data: data[:-9],
    "a bit flipped": lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
    "empty": lambda data: b"",
    "another file": lambda data: b"no safetensors" * 9,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_made_anew(pictures, kind):
    net = Counting()
    first = features_of(pictures, CLEAN, net.network, made=False)
    [path] = entries()
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    assert torch.equal(features_of(pictures, CLEAN, net.network, made=False), first)
    assert net.seen == 12
    assert torch.equal(features_of(pictures, CLEAN, net.network, made=False), first)
    assert net.seen == 12
    assert entries() == [path]


def test_what_float32_cannot_hold_is_kept_whole(pictures):
    fine = torch.rand(6, 2, dtype=torch.float64)
    feature_cache.cached(pictures, ABOUT, lambda: fine)
    assert torch.equal(feature_cache.cached(pictures, ABOUT, pytest.fail), fine)


def test_a_folder_that_cannot_be_written_costs_a_warning_only(pictures, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HLGAN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="set HLGAN_CACHE to another folder"):
        got = feature_cache.cached(pictures, ABOUT, lambda: torch.ones(6, 2, dtype=torch.float64))
    assert got.sum() == 12


def test_the_oldest_entries_go(pictures, monkeypatch):
    monkeypatch.setattr(feature_cache, "KEEP", 2)
    for k in range(4):
        feature_cache.cached(pictures + k, ABOUT, lambda: torch.ones(6, 2, dtype=torch.float64))
    assert len(entries()) == 2


def test_folder_follows_the_environment_and_lies_outside_the_repository(monkeypatch):
    monkeypatch.delenv("HLGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert feature_cache.folder() == Path("/somewhere/hlgan_lib")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert feature_cache.folder() == Path("~/.cache/hlgan_lib").expanduser()
    assert not feature_cache.folder().is_relative_to(Path(hl.__file__).parents[1])
