"""The authors' released L2H class, key for key."""

import pickle

import pytest
import torch
from torch.torch_version import TorchVersion

from hlgan_lib import HLError, ReleasedLowToHigh, load_weights, upscale
from hlgan_lib.networks.blocks import count_parameters
from hlgan_lib.networks.released import SAFE_TORCH

reads_pickles = pytest.mark.skipif(
    TorchVersion(torch.__version__) < SAFE_TORCH, reason="torch is too old for a stranger's pickle"
)


@pytest.fixture(scope="module")
def released():
    torch.manual_seed(0)
    net = ReleasedLowToHigh()
    with torch.no_grad():  # statistics of their own, so that a lost buffer would show
        for name, buffer in net.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
    return net.eval()


@pytest.fixture(scope="module")
def lo():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def expected_shapes():
    """Name and shape of every weight, written down from the released class."""

    def bn(name, c):
        return {f"{name}.{k}": (c,) for k in ("weight", "bias", "running_mean", "running_var")} | {
            f"{name}.num_batches_tracked": ()
        }

    shapes = {
        "a1.0.weight": (128, 256, 1, 1),
        "a1.0.bias": (128,),
        "a2.0.weight": (96, 128, 1, 1),
        "a2.0.bias": (96,),
        "layers_in.weight": (256, 3, 3, 3),
    }
    for group, n, c in ((0, 12, 256), (1, 3, 128)):
        for i in range(n):
            block, c_in = f"layers_set_final.{group}.{i}", 256 if (group, i) == (1, 0) else c
            shapes |= {
                f"{block}.conv1.weight": (c, c_in, 3, 3),
                f"{block}.conv2.weight": (c, c, 3, 3),
            }
            shapes |= bn(f"{block}.bn1", c_in) | bn(f"{block}.bn2", c)
        up = f"layers_set_final_up.{group}"
        shapes |= bn(f"{up}.1", c) | {f"{up}.3.weight": (c, c, 1, 1), f"{up}.3.bias": (c,)}
    shapes |= {
        "layers_set_final.1.0.skip.weight": (128, 256, 1, 1),
        "layers_set_final.1.0.skip.bias": (128,),
    }
    shapes |= {
        "main.0.weight": (96, 128, 3, 3),
        "main.2.weight": (96, 96, 1, 1),
        "main.2.bias": (96,),
        "main.4.weight": (3, 96, 1, 1),
        "main.4.bias": (3,),
    }
    return shapes


def test_count_keys_and_shapes(released):
    assert count_parameters(released) == 15_490_403
    assert {k: tuple(v.shape) for k, v in released.state_dict().items()} == expected_shapes()


def test_a2_is_never_used(released, lo):
    net = ReleasedLowToHigh()
    out = net(lo[:1])
    assert out.shape == (1, 3, 64, 64)
    out.sum().backward()
    assert {k for k, p in net.named_parameters() if p.grad is None} == {"a2.0.weight", "a2.0.bias"}


@reads_pickles
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": s, "epoch": 3},
    ],
    ids=["plain", "DataParallel", "wrapped"],
)
def test_made_checkpoint_round_trips(released, lo, tmp_path, wrap):
    path = tmp_path / "model.pkl"
    torch.save(wrap(released.state_dict()), path)
    net = load_weights(path, stage="l2h")
    with torch.no_grad():
        assert torch.equal(upscale(net, lo), released(lo))
    assert torch.load(path, weights_only=True)  # plain tensors only
    assert not any(p.requires_grad for p in net.parameters()) and not net.training


class _Evil:
    def __reduce__(self):
        return print, ("a stranger's code ran",)


@pytest.mark.parametrize("version", ["2.6.0", "2.9.1+cu128"])
def test_an_older_torch_reads_no_strangers_file(version, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)
    path = tmp_path / "model.pkl"
    torch.save({}, path)
    with pytest.raises(HLError, match=r"needs torch 2.10 or newer, got 2.*CVE-2026-24747"):
        load_weights(path)


@reads_pickles
def test_nothing_in_a_file_is_executed(tmp_path, capsys):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"state_dict": _Evil()}))
    with pytest.raises(HLError, match="not a checkpoint of plain tensors"):
        ReleasedLowToHigh.load(path)
    torch.save({"w": _Evil()}, path)
    with pytest.raises(HLError, match="not a checkpoint of plain tensors"):
        ReleasedLowToHigh.load(path)
    assert capsys.readouterr().out == ""


@reads_pickles
def test_other_checkpoints_are_refused(released, tmp_path):
    path = tmp_path / "other.pkl"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(HLError, match="does not hold the authors' released L2H"):
        ReleasedLowToHigh.load(path)
    torch.save([1, 2], path)
    with pytest.raises(HLError, match="does not hold"):
        ReleasedLowToHigh.load(path)
    state = released.state_dict()
    state.pop("a2.0.bias")  # strict: not even a layer that is never used may be missing
    torch.save(state, path)
    with pytest.raises(HLError, match="does not hold"):
        ReleasedLowToHigh.load(path)
    with pytest.raises(HLError, match="of stage l2h, expected h2l"):
        torch.save(released.state_dict(), path)
        load_weights(path, stage="h2l")
