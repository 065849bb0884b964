"""The plain loop: the same losses as ours, by the book, on pictures that PIL decodes."""

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.bench.plain import DECAY, Pictures, PlainLoop, batches, write_pictures
from tests.helpers import CPU, HI, LO, TINY, bilinear, grads, loop_of, same, weights


@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_a_step_updates_both_networks_and_computes_gradients_of_d_for_nothing(stage):
    loop = loop_of(stage, TINY.replace(d_steps=2, ema=0.1), bilinear)
    plain = PlainLoop(loop.task)
    batch = loop.task.batch()
    g, d = weights(plain.g), weights(plain.d)
    start = {k: v.clone() for k, v in plain.average.items()}
    plain.step(batch)
    assert same(g, weights(plain.g)) != [] and same(d, weights(plain.d)) != []
    assert {s["step"].item() for s in plain.opt_d.state.values()} == {2}
    plain.opt_d.zero_grad()
    g_loss, _ = plain.task.g_loss(batch)
    g_loss.backward()
    assert grads(plain.d) == {True}
    for name, p in plain.g.named_parameters():
        want = DECAY * start[name] + (1 - DECAY) * p
        assert torch.allclose(plain.average[name], want, atol=1e-7)


def test_without_a_gan_loss_only_the_generator_is_updated():
    plain = PlainLoop(loop_of("l2h", TINY.replace(w_gan=0.0), bilinear).task)
    before = weights(plain.g)
    plain.step(plain.task.batch())
    assert len(plain.d) == 0 and same(before, weights(plain.g)) != []


def test_pictures_are_those_of_the_disk_in_the_range_of_the_networks(tmp_path):
    hi, lo = write_pictures(tmp_path / "hi", HI, 6), write_pictures(tmp_path / "lo", LO, 4)
    assert len(list(hi.iterdir())) == 6 and len(list(lo.iterdir())) == 4
    pairs, unpaired = Pictures(hi, None, 8), Pictures(hi, lo, 8)
    assert len(pairs) == 6
    known = torch.from_numpy(HI.images[2].astype(np.float32)) / 127.5 - 1
    read = unpaired[2]
    assert torch.equal(read["hi"], known) or torch.equal(read["hi"], known.flip(-1))
    known = [torch.from_numpy(x.astype(np.float32)) / 127.5 - 1 for x in LO.images[:4]]
    assert any(torch.equal(read["lo"], x) or torch.equal(read["lo"], x.flip(-1)) for x in known)
    pair = pairs[0]
    small = Image.fromarray(((pair["hi"].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
    small = np.asarray(small.resize((8, 8), Image.Resampling.BILINEAR)).astype(np.float32)
    assert np.allclose(pair["lo_fake"].permute(1, 2, 0), small / 127.5 - 1)


def test_batches_go_on_over_epochs(tmp_path):
    folder = write_pictures(tmp_path / "hi", HI, 5)
    stream = batches(Pictures(folder, None, 8), 2, CPU, n_workers=0)
    drawn = [next(stream) for _ in range(4)]  # two whole batches an epoch
    assert {tuple(b["hi"].shape) for b in drawn} == {(2, 3, 32, 32)}
    assert {tuple(b["lo_fake"].shape) for b in drawn} == {(2, 3, 8, 8)}
    first = torch.cat([b["hi"].abs().sum((1, 2, 3)) for b in drawn[:2]])
    assert len(first.unique()) == 4  # no picture twice in an epoch
