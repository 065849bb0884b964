"""Pairs nearer to the real domain: what is drawn, by which weights, and of whom."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.nearness import nearer, nearness
from tests.helpers import CPU, HI, LO, TINY, bilinear, loop_of, seeded, train


def darkened(hi: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Bilinear pictures, of each a share of its light between none and all."""
    light = torch.rand(len(hi), 1, 1, 1, generator=generator, device=hi.device)
    return (bilinear(hi, generator) + 1) * light - 1


def light(x: torch.Tensor) -> float:
    return (x + 1).mean().item()


def test_the_ratio_is_large_where_real_pictures_lie():
    rng = seeded()
    made = torch.cat([darkened(HI.batch(), rng) for _ in range(6)])
    near = nearness(made, (LO.batch() + 1) * 0.3 - 1)
    dark, bright = ((bilinear(HI.batch(), None) + 1) * s - 1 for s in (0.3, 0.9))
    assert near.log_ratio(dark).mean() > near.log_ratio(bright).mean() + 2


def test_what_is_drawn_moves_to_the_real_domain():
    dark = hl.data.FaceSet(LO.images // 4, LO.names, "dark")
    made = light(darkened(HI.batch(), seeded(1)))
    drawn = light(nearer(darkened, HI, dark, 8)(HI.batch(), seeded(1)))
    real = light(dark.batch())
    assert abs(drawn - real) < 0.4 * abs(made - real)


def test_where_made_and_real_are_alike_nothing_moves():
    alike = nearer(darkened, HI, LO, 8)
    near = nearness(darkened(HI.batch(), seeded(2)), darkened(HI.batch(), seeded(3)))
    assert near.weight.abs().max() < 1, "nothing to tell apart, but for chance"
    a, b = (alike(HI.batch(), seeded(4)) for _ in range(2))
    assert torch.equal(a, b) and a.shape == LO.batch().shape


def test_one_of_the_images_of_each_face_is_taken_by_its_weight(monkeypatch):
    """Ratios 1, 2, 5 of three constant pictures: drawn as often."""
    resampled = nearer(darkened, HI, LO, 3)
    levels = torch.tensor([-0.5, 0.0, 0.5]).view(3, 1, 1, 1, 1)
    ratio = torch.tensor([1.0, 2.0, 5.0])
    cells = dict(zip(resampled.__code__.co_freevars, resampled.__closure__, strict=True))

    class Known:
        @staticmethod
        def log_ratio(lo: torch.Tensor) -> torch.Tensor:
            return ratio.log()[((lo[:, 0, 0, 0] + 0.5) * 2).round().long()]

    monkeypatch.setattr(cells["near"], "cell_contents", Known())
    monkeypatch.setattr(
        cells["degrade"],
        "cell_contents",
        lambda hi, generator: levels.expand(3, len(hi) // 3, 3, 8, 8).flatten(0, 1),
    )
    drawn = resampled(torch.zeros(4000, 3, 32, 32), seeded())[:, 0, 0, 0]
    shares = torch.stack([(drawn == level).float().mean() for level in (-0.5, 0.0, 0.5)])
    assert torch.allclose(shares, ratio / 8, atol=0.03)


def test_pairs_are_of_the_same_face(monkeypatch):
    resampled = nearer(lambda hi, generator: bilinear(hi, generator), HI, LO, 4)
    assert torch.allclose(resampled(HI.batch(), seeded()), bilinear(HI.batch(), None))


@pytest.mark.parametrize("stage", ["l2h", "pseudo"])
def test_a_stage_of_pairs_is_trained_on_near_ones(stage, tmp_path):
    cfg = TINY.replace(n_near=3)
    task = loop_of(stage, cfg, darkened).task
    assert task.degrade.__qualname__.startswith("nearer")
    *_, tick = train(stage, cfg.replace(l2h_steps=2, pseudo_steps=2), out=tmp_path)
    assert tick.step == 2
    about = hl.checkpoint.RunFolder(tmp_path).read_about()
    assert about["data"]["lo"]["n"] == len(LO), "a run knows the real pictures again"
    assert loop_of("l2h", TINY, darkened).task.degrade is darkened and task.device == CPU
