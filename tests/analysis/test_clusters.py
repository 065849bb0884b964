"""Domains without labels: a mixture found again, cameras that differ, what is refused."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.clusters import (
    Mixture,
    domain_features,
    infer_domains,
    mixture,
    rand_index,
    with_domains,
)
from hlgan_lib.data import FaceSet, by_domain, mixed, to_uint8
from hlgan_lib.errors import HLError
from tests.helpers import LO, seeded


def blobs(n: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Three groups of points, one of them long and thin."""
    x = torch.randn(3 * n, 2, generator=seeded(), dtype=torch.float64)
    x[:n] *= torch.tensor([4.0, 0.2])
    x[n : 2 * n] += torch.tensor([0.0, 6.0])
    x[2 * n :] += torch.tensor([9.0, 6.0])
    return x, torch.arange(3).repeat_interleave(n)


def test_a_mixture_is_found_again_its_shapes_too():
    x, label = blobs()
    found = mixture(x, 3)
    called = found.log_joint(x).argmax(1)
    assert rand_index(called, label) > 0.95
    of_long = int(called[:80].mode().values)
    covariance = (found.root @ found.root.mT)[of_long]
    assert covariance[0, 0] > 3 * covariance[1, 1]
    assert found.log_share.exp().sum().item() == pytest.approx(1)


def test_the_density_is_that_of_gaussians():
    root = torch.tensor([[[2.0, 0.0], [0.5, 1.0]]]).double()
    part = Mixture(torch.zeros(1).double(), torch.tensor([[1.0, -1.0]]).double(), root)
    x = torch.randn(5, 2, generator=seeded()).double()
    want = torch.distributions.MultivariateNormal(part.mean[0], scale_tril=root[0]).log_prob(x)
    got = part.log_joint(x)[:, 0]
    assert torch.allclose(got - got[0], want - want[0])


def test_rand_index_of_a_known_table():
    a, b = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 0, 1, 1, 2, 2])
    assert rand_index(a, b) == pytest.approx(0.24242, abs=1e-4)  # 0.8 / 3.3
    assert rand_index(a, torch.tensor([2, 2, 2, 0, 0, 0])) == 1
    far = torch.randint(4, (2, 4000), generator=seeded())
    assert abs(rand_index(*far)) < 0.01


def two_cameras(n: int = 40) -> FaceSet:
    """The same kind of pictures, and darker ones with noise."""
    lo = hl.load_faces("faces:train-lo")
    dark = lo[n : 2 * n].batch() * 0.4 - 0.6
    dark = dark + 0.1 * torch.randn(dark.shape, generator=seeded())
    other = FaceSet(to_uint8(dark.clamp(-1, 1)).numpy(), lo[n : 2 * n].names, "dark")
    return mixed({"a": lo[:n], "b": other})


def test_two_cameras_come_apart_the_darker_first():
    both = two_cameras()
    label = infer_domains(both, 2)
    assert rand_index(label, torch.tensor([1] * 40 + [0] * 40)) > 0.8
    assert label[:40].double().mean() > 0.5 > label[40:].double().mean()
    assert torch.equal(infer_domains(both, 2), label), "the same each time"
    order = torch.randperm(80, generator=seeded())
    moved = infer_domains(both[order.tolist()], 2)
    assert rand_index(moved, label[order]) > 0.9, "and in any order"


def test_labels_become_folders_and_pictures_stay():
    label = torch.tensor([1, 0] * 20)
    named = with_domains(LO, label)
    parts = by_domain(named, 2)
    assert list(parts) == ["0", "1"] and len(parts["0"]) == 20
    assert (named.images == LO.images).all() and named.names[0] == f"1/{LO.names[0]}"
    assert with_domains(LO, torch.arange(40) % 11).names[0].startswith("00/")


def test_a_jpeg_is_looked_for_where_pictures_can_hold_one():
    assert domain_features(LO).shape == (40, 20)
    assert domain_features(hl.load_faces("faces:train-lo")[:3]).shape == (3, 21)


def test_too_few_pictures_are_refused():
    with pytest.raises(HLError, match="10 pictures or more of each of 5 domains"):
        infer_domains(LO, 5)
    same = FaceSet(LO.images[[0] * 40], LO.names, "same")
    with pytest.raises(HLError, match="must fall into 2 domains .* set a smaller domains"):
        infer_domains(same, 2)
