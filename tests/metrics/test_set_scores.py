"""What reaches a feature network under each protocol, and scores of sets under both."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate
from torchmetrics.image.fid import FrechetInceptionDistance

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.metrics import features, protocols, set_scores
from hlgan_lib.metrics.distances import frechet
from hlgan_lib.metrics.protocols import CLEAN, PAPER, STEPS
from hlgan_lib.metrics.set_scores import NETWORKS, drift, features_of


@pytest.fixture(scope="module")
def faces():
    return (hl.load_faces("faces:val:hi").batch() + 1) / 2


class Toy(torch.nn.Module):
    """Six numbers a picture; keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []
        self.network = set_scores.Network("means and spreads, 6 numbers", 6, lambda device: self)

    def forward(self, x):
        self.shown.append(x)
        return torch.cat((x.mean((2, 3)), x.std((2, 3))), 1)


@pytest.fixture
def toy(monkeypatch):
    net = Toy()
    for name in ("lite0", "torchvision"):
        monkeypatch.setitem(NETWORKS, name, net.network)
    return net


@pytest.fixture
def small(monkeypatch):
    """The paper's protocol with small pictures and batches, for scores in a moment."""
    paper = dataclasses.replace(PAPER, enlarge=80, batch=16)
    for module in (protocols, set_scores):
        monkeypatch.setattr(module, "PAPER", paper)
    for name, measure in set_scores.MEASURES.items():
        monkeypatch.setitem(
            set_scores.MEASURES,
            name,
            measure._replace(protocol=CLEAN if measure.protocol == CLEAN else paper),
        )
    return paper


def test_only_made_pictures_are_stretched_and_coded(faces, toy):
    dull = 0.2 + 0.5 * faces[:4]
    features_of(dull, PAPER, toy.network, made=True)
    features_of(dull, PAPER, toy.network, made=False)
    made, reference = toy.shown
    want = interpolate(
        protocols.jpeg_file(protocols.stretch(dull), 75), size=(299, 299), mode="bilinear"
    )
    torch.testing.assert_close(made, want)
    torch.testing.assert_close(reference, interpolate(dull, size=(299, 299), mode="bilinear"))
    features_of(dull, CLEAN, toy.network, made=True)
    assert torch.equal(toy.shown[-1], dull)


def test_each_step_moves_the_distance_as_by_hand(faces, toy, small):
    made, real, train = faces[:20] * 0.8, faces[20:40], faces[40:80]
    got = drift({"dull": made}, real, train, n_boot=5)["dull"]
    assert list(got) == ["clean", *(f"clean + {s}" for s in STEPS), "paper"]
    take, net, stretch, jpeg = (
        set_scores.take,
        Toy(),
        protocols.stretch,
        lambda x: protocols.jpeg_file(x, 75),
    )
    a, b, c = (take(x, 20, s) for x, s in ((made, 0), (real, 1), (train, 1)))

    def big(x):
        return interpolate(x, size=(80, 80), mode="bilinear")

    want = {
        "clean": (a, b),
        "clean + reference": (a, c),
        "clean + stretch": (stretch(a), b),
        "clean + jpeg": (jpeg(a), b),
        "clean + enlarge": (big(a), big(b)),
        "clean + batch": (take(made, 16, 0), take(real, 32, 1)[:16]),
        "paper": (big(jpeg(stretch(take(made, 16, 0)))), big(take(train, 32, 1)[:16])),
    }
    for name, pair in want.items():
        assert got[name]["value"] == pytest.approx(frechet(*map(net, pair)), rel=1e-3), name
    assert len({score["value"] for score in got.values()}) == 7, "every step must move the number"
    assert got["paper"]["n"] == 16 and "16 of the 20 fake pictures" in got["paper"]["note"]
    assert got["paper"]["features"].endswith(f"paper: {small.steps()}")
    assert got["paper"]["floor_n"] == 16


def test_drift_refuses_an_unknown_network_and_too_few_pictures(faces, toy, small):
    with pytest.raises(hl.HLError, match="network must be lite0.*got 'vgg'"):
        drift({}, faces, faces, "vgg")
    with pytest.raises(hl.HLError, match="drops the last incomplete batch of 16, got 9"):
        drift({"few": faces[:9]}, faces[:9], faces[:9], n_boot=2)


def test_drift_figure_shows_every_number_in_words(faces, toy, small):
    scores = drift(
        {"dull": faces[:20] * 0.8, "bright": faces[:20] ** 0.5},
        faces[20:40],
        faces[40:80],
        n_boot=5,
    )
    figure = viz.drift_figure(scores)
    for by in scores.values():
        assert all(f"{score['value']:.3g}" in figure.alt for score in by.values())
    [ax] = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == list(scores["dull"])
    assert sorted(t.get_text() for t in figure.legends[0].get_texts()) == [
        "bright",
        "dull",
        "floor",
    ]


@pytest.mark.parametrize("name", ["frechet_lite0_paper", "fid_paper"])
def test_paper_scores_of_evaluate_compare_with_the_training_set(faces, toy, small, name):
    made, real, train = (x * 2 - 1 for x in (faces[:16] ** 2, faces[:16], faces[20:60]))
    got = hl.evaluate(made, real, metrics=[name], n_boot=5, train=train)[name]
    want = drift({"x": faces[:16] ** 2}, faces[:16], faces[20:60], n_boot=5)["x"]["paper"]
    assert got["value"] == pytest.approx(want["value"], rel=1e-2)
    assert got["n"] == 16
    assert got["floor_n"] == 16
    assert "training set, min-max stretch, JPEG 75" in got["features"]
    with pytest.raises(
        hl.HLError, match=f"{name} compares with the HR training pictures.*pass train="
    ):
        hl.evaluate(made, real, metrics=[name])


def test_kid_and_fid_share_their_features(monkeypatch, toy, faces):
    monkeypatch.setitem(NETWORKS, "inception", toy.network)
    got = hl.evaluate(faces[:20] * 2 - 1, faces[20:60] * 2 - 1, metrics=["fid", "kid"], n_boot=300)
    assert sum(map(len, toy.shown)) == 20 + 40 and got["kid"]["sd"] > 0
    assert "interval from 200 rounds" in got["fid"]["note"] and got["fid"]["floor_n"] == 20


def test_the_page_shows_the_stored_distances():
    root = Path(hl.__file__).parents[1]
    stored = json.loads((root / "results" / "protocols.json").read_text())
    page = (root / "docs" / "metrics.md").read_text()
    assert f"Fréchet distance (Lite0), {stored['about']['n']} of `faces:test`" in page
    for name, by in stored["scores"].items():
        assert (
            f"| {name} | " + " | ".join(f"{score['value']:.0f}" for score in by.values()) + " |"
            in page
        )
    floors = [score["floor"] for score in by.values()]
    assert "| floor | " + " | ".join(f"{v:.0f}" for v in floors) + " |" in page


def test_fid_is_computed_at_equal_n_on_what_torchmetrics_loads(monkeypatch, faces):
    own = FrechetInceptionDistance(feature=features.features())
    monkeypatch.setattr(features, "fid_network", lambda device: own)
    got = hl.evaluate(
        2 * faces[:20] - 1, 2 * faces[20:60] - 1, metrics=["fid", "frechet_lite0"], n_boot=5
    )
    assert list(got) == ["fid", "frechet_lite0"]
    assert got["fid"]["n"] == 20
    assert "20 of the 40" in got["fid"]["note"]
    assert got["fid"]["value"] == pytest.approx(got["frechet_lite0"]["value"], rel=1e-2)
