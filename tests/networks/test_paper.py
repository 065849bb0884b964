"""Block counts and the size at which each works, against the paper; every switch; other sizes."""

import pytest
import torch
from torch import nn

from hlgan_lib.config import RunConfig
from hlgan_lib.errors import HLError
from hlgan_lib.networks.blocks import ResBlock, count_parameters
from hlgan_lib.networks.paper import Discriminator, HighToLow, LowToHigh, _DBlock

NARROW = RunConfig(h2l_width=8, l2h_width=16, d_width=8)


def sizes_of(net: nn.Module, kind: type, *inputs: torch.Tensor) -> list[tuple[int, int]]:
    """Side of the pictures that enter and leave each module of a kind, in running order."""
    seen = []
    hooks = [
        m.register_forward_hook(lambda _, x, y: seen.append((x[0].shape[-1], y.shape[-1])))
        for m in net.modules()
        if isinstance(m, kind)
    ]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def hi_z(cfg: RunConfig, n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(n, 3, cfg.size_hi, cfg.size_hi, generator=rng) * 2 - 1, torch.randn(
        n, cfg.z_dim, generator=rng
    )


def test_h2l_has_twelve_blocks_in_six_groups():
    net = HighToLow(NARROW)
    assert (len(net.encoder), len(net.decoder)) == (4, 2)
    blocks = [s for s, _ in sizes_of(net, ResBlock, *hi_z(NARROW))]
    assert blocks == [64, 64, 32, 32, 16, 16, 8, 8, 8, 8, 16, 16]
    parts = trace(net, [*net.encoder, *net.doubles, *net.decoder], *hi_z(NARROW))
    groups = [(x.shape[-1], y.shape[-1]) for x, y in parts]
    assert groups == [
        (64, 32),
        (32, 16),
        (16, 8),
        (8, 4),
        (4, 8),
        (8, 8),
        (8, 16),
        (16, 16),
    ]  # doubled, then blocks
    assert sum(isinstance(m, nn.PixelShuffle) for m in net.modules()) == 2
    out = net(*hi_z(NARROW))
    assert out.shape == (2, 3, 16, 16) and out.abs().max() <= 1


def trace(net: nn.Module, watched: list[nn.Module], *inputs: torch.Tensor) -> list[tuple]:
    seen = []
    hooks = [m.register_forward_hook(lambda _, x, y: seen.append((x[0], y))) for m in watched]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def test_down_first_spends_less_at_the_same_groups():
    cfg = NARROW.replace(down_first=True)
    net = HighToLow(cfg)
    assert [s for s, _ in sizes_of(net, ResBlock, *hi_z(cfg))] == [
        32,
        32,
        16,
        16,
        8,
        8,
        4,
        4,
        8,
        8,
        16,
        16,
    ]
    assert count_parameters(net) == count_parameters(HighToLow(NARROW))


def test_z_is_the_fourth_channel():
    net = HighToLow(NARROW)
    assert net.stem.in_channels == 4 and net.stem.kernel_size == (3, 3)
    assert (net.fc.in_features, net.fc.out_features) == (64, 64 * 64)
    hi, z = hi_z(NARROW)
    ((x, _),) = trace(net, [net.stem], hi, z)
    assert torch.equal(x[:, :3], hi) and torch.equal(x[:, 3].flatten(1), net.fc(z))


def test_h2l_width_and_count_of_the_released_class():
    net = HighToLow(RunConfig())
    assert {m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)} == {
        64,
        256,
        3,
    }  # 256: to shuffle
    without_z = count_parameters(net) - count_parameters(net.fc)
    assert 1.2e6 < without_z < 1.5e6  # "1.34 M parameters"; ours, block by block:
    conv, bn = 64 * 64 * 9, 2 * 64
    blocks, halves = 12 * 2 * (conv + bn), 4 * (conv + 64 + bn)
    doubles = 2 * (4 * conv + 4 * 64)
    assert without_z == (4 * 64 * 9 + 64) + blocks + halves + doubles + bn + (64 * 3 * 9 + 3)


@pytest.mark.parametrize("z_input", ["concat", "none"])
def test_z_changes_the_picture_unless_it_is_off(z_input):
    cfg = NARROW.replace(z_input=z_input, norm="none")
    net, (hi, z) = HighToLow(cfg), hi_z(cfg)
    assert torch.equal(net(hi, z), net(hi, z))  # the same z gives the same picture
    assert torch.equal(net(hi, z), net(hi, -z)) == (z_input == "none")


def test_h2l_ends_with_the_jpeg_and_keeps_what_was_measured():
    cfg = NARROW.replace(jpeg="measured", skip=True)
    net, (hi, z) = HighToLow(cfg), hi_z(cfg, 8)
    net.jpeg.set(torch.tensor([5.0, 5.0]), 1.0)
    other = HighToLow(cfg)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        coded = other(hi, z)
        other.jpeg = None
        plain = other(hi, z)
    assert torch.equal(coded, net(hi, z)) and (coded - plain).abs().mean() > 0.02
    with pytest.raises(HLError, match="z_dim must be 4 or more where H2L has a JPEG"):
        cfg.replace(z_dim=3)


SWITCHES = [
    dict(norm="none"),
    dict(order="post"),
    dict(order="post", norm="none"),
    dict(down="avg"),
    dict(down="max"),
    dict(down_first=True),
    dict(skip=True),
    dict(z_dim=3),
    dict(skip=True, down_first=True, norm="none"),
    dict(jpeg="measured"),
]


@pytest.mark.parametrize("switch", SWITCHES, ids=str)
def test_switches_of_the_generators_train(switch):
    cfg = NARROW.replace(**switch)
    hi, z = hi_z(cfg)
    plain = HighToLow(NARROW)(*hi_z(NARROW)).detach()
    lo, hi_fake = HighToLow(cfg)(hi, z), LowToHigh(cfg)(torch.zeros(2, 3, 16, 16))
    assert lo.shape == (2, 3, 16, 16) and not torch.equal(lo, plain) and hi_fake.shape == hi.shape
    for net, inputs in ((HighToLow(cfg), (hi, z)), (LowToHigh(cfg), (lo.detach(),))):
        net(*inputs).square().sum().backward()
        assert not [k for k, p in net.named_parameters() if p.grad is None], (
            "a weight that nothing reaches"
        )
        has_bn = any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
        assert has_bn == (cfg.norm == "batch")


def test_skip_starts_near_the_resized_input():
    cfg = NARROW.replace(skip=True, norm="none")
    hi, z = hi_z(cfg)
    net = HighToLow(cfg)
    nn.init.zeros_(net.head[-1].weight), nn.init.zeros_(net.head[-1].bias)
    pooled = nn.functional.avg_pool2d(hi, 4)
    assert torch.allclose(net(hi, z), pooled.clamp(-0.98, 0.98), atol=1e-5)


def test_l2h_has_12_3_2_blocks_and_three_long_skips():
    net, lo = LowToHigh(NARROW), torch.zeros(1, 3, 16, 16)
    assert [s for s, _ in sizes_of(net, ResBlock, lo)] == [16] * 12 + [32] * 3 + [64] * 2
    assert [len(g.blocks) for g in net.groups] == [12, 3, 2]
    assert [(x.shape[-1], y.shape[-1]) for x, y in trace(net, list(net.doubles), lo)] == [
        (16, 32),
        (32, 64),
    ]
    groups, insides = (
        trace(net.eval(), list(net.groups), lo),
        trace(net, [g.blocks for g in net.groups], lo),
    )
    for (x, y), (_, inner) in zip(groups, insides, strict=True):
        assert torch.equal(y, x + inner)  # one long skip over each group
    assert net(lo).shape == (1, 3, 64, 64) and net(lo).abs().max() <= 1


def test_l2h_widths():
    net = LowToHigh(RunConfig())
    assert [g.blocks[0].body[-1].out_channels for g in net.groups] == [256, 128, 64]
    assert all(d[0].align_corners for d in net.doubles)


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (16, [(16, 16)] * 4 + [(16, 8), (8, 4)]),
        (64, [(64, 64)] * 2 + [(64, 32), (32, 16), (16, 8), (8, 4)]),
        (32, [(32, 32)] * 3 + [(32, 16), (16, 8), (8, 4)]),
    ],
)
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_d_has_six_blocks_and_the_right_ones_pool(size, sizes, pool):
    d, x = Discriminator(size, 8, pool), torch.randn(2, 3, size, size)
    assert sizes_of(d, _DBlock, x) == sizes
    assert d(x).shape == (2,) and d.fc.in_features == 8 * 4 * 4
    pools = {type(m) for m in d.modules() if isinstance(m, (nn.AvgPool2d, nn.MaxPool2d))}
    assert pools == {nn.AvgPool2d if pool == "avg" else nn.MaxPool2d}


def test_d_has_spectral_norm_on_every_layer_and_no_batch_norm():
    d = Discriminator(16, 8)
    layers = [m for m in d.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 1 + 6 * 2 + 1
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())
    for _ in range(200):  # the power iterations converge
        d(torch.randn(1, 3, 16, 16))
    d.eval()
    for m in layers:
        assert torch.linalg.matrix_norm(m.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("hi", "lo", "down", "up", "groups"),
    [
        (128, 32, 5, 3, [12, 3, 2]),
        (32, 16, 3, 2, [12, 3]),
        (128, 16, 5, 2, [12, 3, 2, 2]),
        (32, 8, 3, 1, [12, 3, 2]),
    ],
)
def test_other_sizes_and_factors(hi, lo, down, up, groups):
    cfg = RunConfig(size_hi=hi, size_lo=lo, h2l_width=4, l2h_width=8, d_width=4)
    h2l, l2h, (x, z) = HighToLow(cfg), LowToHigh(cfg), hi_z(cfg)
    assert (len(h2l.encoder), len(h2l.decoder)) == (down, up)
    assert [len(g.blocks) for g in l2h.groups] == groups
    lo_fake = h2l(x, z)
    assert lo_fake.shape == (2, 3, lo, lo) and l2h(lo_fake).shape == x.shape
    assert Discriminator(hi, 4)(x).shape == Discriminator(lo, 4)(lo_fake).shape == (2,)


def test_wrong_inputs_are_named():
    h2l, l2h, d = HighToLow(NARROW), LowToHigh(NARROW), Discriminator(16, 8)
    hi, z = hi_z(NARROW)
    with pytest.raises(
        HLError,
        match=r"hi must be float \(B, 3, 64, 64\), got float32 \(2, 3, 16, 16\): did you pass",
    ):
        h2l(hi[:, :, :16, :16], z)
    with pytest.raises(HLError, match=r"lo must be .* did you pass hi"):
        l2h(hi)
    with pytest.raises(HLError, match="got uint8"):
        l2h(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    with pytest.raises(HLError, match=r"z must be \(2, 64\), one row a picture, got \(1, 64\)"):
        h2l(hi, z[:1])
    with pytest.raises(HLError, match=r"x must be float \(B, 3, 16, 16\)"):
        d(hi)


def test_a_discriminator_without_spectral_norm_has_plain_weights_of_the_same_number():
    plain, spectral = Discriminator(16, 8, norm="none"), Discriminator(16, 8)
    assert not any("parametrizations" in k for k in plain.state_dict())
    assert count_parameters(plain) == count_parameters(spectral)


def test_a_projection_adds_the_domain_to_the_score():
    """score(x, y) = score of the fully connected layer + e(y) . sum of features, by hand."""
    d = Discriminator(16, 6, norm="none", domains=3).eval()
    x, y = torch.rand(5, 3, 16, 16) * 2 - 1, torch.tensor([0, 1, 2, 1, 0])
    features = torch.relu(d.blocks(d.stem(x)))
    plain = d.fc(features.flatten(1))[:, 0]
    wanted = plain + (d.embed.weight[y] * features.sum((2, 3))).sum(1)
    assert torch.allclose(d(x, y), wanted, atol=1e-5)
    assert not torch.allclose(d(x, y), d(x, (y + 1) % 3))
    normed = Discriminator(16, 6, domains=3)
    for _ in range(30):
        normed(x, y)
    assert torch.linalg.matrix_norm(normed.embed.weight, 2).item() == pytest.approx(1, abs=0.05)
    with pytest.raises(HLError, match="of several domains, and only so"):
        d(x)
    with pytest.raises(HLError, match="of several domains, and only so"):
        Discriminator(16, 6)(x, y)
