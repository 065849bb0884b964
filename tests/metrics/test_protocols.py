"""Each step of the paper's protocol by hand, what reaches the network, and scores under both protocols."""

import dataclasses
import io
import json
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision.models import Inception_V3_Weights
from torchvision.models.inception import Inception3

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.metrics import features, protocols
from hlgan_lib.metrics.distances import frechet
from hlgan_lib.metrics.protocols import CLEAN, NETWORKS, PAPER, STEPS, drift, features_of, one_step


@pytest.fixture(scope="module")
def faces():
    return (hl.load_faces("faces:val:hi").batch() + 1) / 2


class Toy(torch.nn.Module):
    """Six numbers a picture; keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []
        self.network = protocols.Network("means and spreads, 6 numbers", 6, lambda device: self)

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
    monkeypatch.setattr(protocols, "PAPER", paper)
    for name, measure in protocols.MEASURES.items():
        monkeypatch.setitem(
            protocols.MEASURES,
            name,
            measure._replace(protocol=CLEAN if measure.protocol == CLEAN else paper),
        )
    return paper


# ---- the steps -------------------------------------------------------------------------------------------------------
def test_the_paper_is_the_scripts_as_far_as_they_are_known():
    assert PAPER == protocols.Protocol("paper", "train", True, 75, 299, 64)
    assert PAPER.whole(3000) == 2944 and CLEAN.whole(3000) == 3000
    assert PAPER.steps() == (
        "reference: training set, min-max stretch, JPEG 75, bilinear to 299, whole batches of 64"
    )
    assert CLEAN.steps() == "reference: real pictures"


@pytest.mark.parametrize("step", STEPS)
def test_one_step_changes_one_field(step):
    a, b = dataclasses.asdict(CLEAN), dataclasses.asdict(one_step(step))
    assert {k for k in a if a[k] != b[k]} == {"name", step} and b[step] == getattr(PAPER, step)


def test_protocols_refuse_what_does_not_fit():
    with pytest.raises(hl.HLError, match="step must be reference.*got 'blur'"):
        one_step("blur")
    with pytest.raises(hl.HLError, match="last incomplete batch of 64, got 63 pictures"):
        PAPER.whole(63)


def test_stretch_takes_each_picture_to_full_contrast_and_leaves_a_constant_one():
    x = torch.stack((torch.linspace(0.25, 0.5, 48).view(3, 4, 4), torch.full((3, 4, 4), 0.3)))
    got = protocols.stretch(x)
    torch.testing.assert_close(got[0], torch.linspace(0, 1, 48).view(3, 4, 4))
    assert torch.equal(got[1], x[1])


def test_jpeg_file_is_what_pillow_writes(faces):
    got = protocols.jpeg_file(faces[:2], 75)
    for x, y in zip(faces[:2], got):
        file = io.BytesIO()
        Image.fromarray((x.permute(1, 2, 0) * 255).round().byte().numpy()).save(
            file, "JPEG", quality=75
        )
        assert np.array_equal(
            (y.permute(1, 2, 0) * 255).round().byte().numpy(), np.array(Image.open(file))
        )
    assert 0 < (got - faces[:2]).abs().mean() < 0.05
    assert (protocols.jpeg_file(faces[:2], 20) - faces[:2]).abs().mean() > (
        got - faces[:2]
    ).abs().mean()


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


# ---- scores ----------------------------------------------------------------------------------------------------------
def test_each_step_moves_the_distance_as_by_hand(faces, toy, small):
    made, real, train = faces[:20] * 0.8, faces[20:40], faces[40:80]
    got = drift({"dull": made}, real, train, n_boot=5)["dull"]
    assert list(got) == ["clean", *(f"clean + {s}" for s in STEPS), "paper"]
    take, net, stretch, jpeg = (
        protocols.take,
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
    assert (
        got["paper"]["features"].endswith(f"paper: {small.steps()}")
        and got["paper"]["floor_n"] == 16
    )


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
    assert (
        got["value"] == pytest.approx(want["value"], rel=1e-2)
        and got["n"] == 16
        and got["floor_n"] == 16
    )
    assert "training set, min-max stretch, JPEG 75" in got["features"]
    with pytest.raises(
        hl.HLError, match=f"{name} compares with the sharp training pictures.*pass train="
    ):
        hl.evaluate(made, real, metrics=[name])


# ---- Inception -------------------------------------------------------------------------------------------------------
@pytest.fixture
def random_inception(monkeypatch):
    """torchvision's Inception with random weights in place of the download."""
    asked = []

    def make(*, weights):
        asked.append(weights)
        return Inception3(transform_input=True, init_weights=False)

    monkeypatch.setattr("torchvision.models.inception_v3", make)
    return asked


def test_paper_inception_gives_the_pooled_features_of_torchvisions_network(faces, random_inception):
    net = features.paper_inception(torch.device("cpu"))
    assert random_inception == [Inception_V3_Weights.DEFAULT]
    x, pooled = interpolate(faces[:1], size=(299, 299), mode="bilinear"), []
    net.net.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output))
    with torch.no_grad():
        got = net(x)
        assert got.shape == (1, 2048)
        torch.testing.assert_close(got, pooled[0].flatten(1))
        mean, deviation = (
            torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        torch.testing.assert_close(got, net.net((x - mean) / deviation), rtol=1e-3, atol=1e-4)
    assert (
        not net.training
        and not net.net.training
        and not any(p.requires_grad for p in net.parameters())
    )


@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("bad hash"), OSError()])
def test_paper_inception_without_its_download_says_so_in_one_line(monkeypatch, error):
    def fail(**options):
        raise error

    monkeypatch.setattr("torchvision.models.inception_v3", fail)
    with pytest.raises(
        hl.HLError, match="fid_paper needs torchvision's Inception.*frechet_lite0_paper"
    ) as caught:
        features.paper_inception(torch.device("cpu"))
    assert "\n" not in str(caught.value)


def test_clean_inception_is_handed_rounded_levels(monkeypatch, faces):
    seen = []

    class Net(torch.nn.Module):
        num_features = 2

        def forward(self, x):
            seen.append(x)
            return x.float().mean((2, 3))

    own = FrechetInceptionDistance(feature=Net())
    monkeypatch.setattr(features, "fid_network", lambda device: own)
    levels = hl.load_faces("faces:val:hi").images[:3]
    features.clean_inception(torch.device("cpu"))(faces[:3])
    assert seen[-1].dtype == torch.uint8 and np.array_equal(seen[-1].numpy(), levels)


def test_kid_and_fid_share_their_features(monkeypatch, toy, faces):
    monkeypatch.setitem(NETWORKS, "inception", toy.network)
    got = hl.evaluate(faces[:20] * 2 - 1, faces[20:60] * 2 - 1, metrics=["fid", "kid"], n_boot=300)
    assert sum(map(len, toy.shown)) == 20 + 40 and got["kid"]["sd"] > 0
    assert "interval from 200 rounds" in got["fid"]["note"] and got["fid"]["floor_n"] == 20


def test_the_page_shows_the_stored_distances():
    root = Path(hl.__file__).parents[1]
    stored = json.loads((root / "results" / "protocols.json").read_text())
    page = (root / "docs" / "metrics.md").read_text()
    assert f"Frechet distance (Lite0), {stored['about']['n']} of `faces:test`" in page
    for name, by in stored["scores"].items():
        assert (
            f"| {name} | " + " | ".join(f"{score['value']:.0f}" for score in by.values()) + " |"
            in page
        )
    floors = [score["floor"] for score in by.values()]
    assert "| floor | " + " | ".join(f"{v:.0f}" for v in floors) + " |" in page
