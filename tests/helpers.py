"""Tiny runs for tests of training: six updates, made pictures, loops of every stage. Noise."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, pad
from torch.utils import backend_registration

import hlgan_lib as hl
from hlgan_lib import cli, training
from hlgan_lib.checkpoint import RunFolder, load_checkpoint, read_weights
from hlgan_lib.data.faces import FaceSet
from hlgan_lib.loop import Loop
from hlgan_lib.training import build

CPU = torch.device("cpu")
needs_far_device = pytest.mark.skipif(  # in tests/far_device.py
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="torch below 2.9 knows no device written in Python",
)


TINY = hl.RunConfig(
    size_hi=32,
    size_lo=8,
    h2l_width=4,
    l2h_width=8,
    d_width=4,
    srgan_width=4,
    cyclegan_width=2,
    flow_width=4,
    n_euler=2,
    norm="none",
    down_first=True,
    skip=True,
    batch=4,
    h2l_steps=6,
    l2h_steps=6,
    srgan_steps=6,
    cyclegan_steps=6,
    flow_steps=6,
    semicycle_steps=6,
    pseudo_steps=6,
    joint_steps=2,
    perceptual="lite0",
    d_steps=1,
    lr=5e-4,
    lr_d=5e-4,
    lr_schedule="cosine",
    ema=0.1,
    scale=0,
    rotate_deg=0,
    colour=0,
    channels_last=True,
    n_val=4,
    tick_images=4,
    save_images=8,
)


RICH = dict(
    norm="batch",
    skip=False,
    d_steps=2,
    d_aug=True,
    w_r1=1.0,
    scale=0.1,
    rotate_deg=10,
    colour=0.1,
)


def pictures(size: int, n: int = 40) -> FaceSet:
    """Smooth pictures, each of its own colours."""
    rng = torch.Generator().manual_seed(size)
    x = torch.rand(n, 3, 4, 4, generator=rng) * 255
    x = nn.functional.interpolate(x, size=size, mode="bicubic", align_corners=False).clamp(0, 255)
    return FaceSet(x.byte().numpy(), tuple(f"{i}.png" for i in range(n)), f"made{size}")


HI, LO = pictures(32), pictures(8)


def train(stage: str, cfg=TINY, **more):
    data = {"hi": HI}
    if stage in training.OF_PAIRS:
        data["degradation"] = "bilinear"
    if stage not in training.PAIRED or cfg.n_near > 1:
        data["lo"] = LO
    if stage == "flow":
        data["l2h"] = restorer(cfg)
    return hl.train(cfg, stage, **(data | {"device": "cpu"} | more))


def restorer(cfg=TINY) -> hl.LowToHigh:
    """An L2H of first weights, always the same, for a flow to draw around."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return hl.LowToHigh(cfg).eval()


def loop_of(stage: str, cfg=TINY, degrade=None) -> Loop:
    torch.manual_seed(cfg.seed)
    rng = torch.Generator().manual_seed(cfg.seed)
    if stage in training.OF_PAIRS:
        degrade = degrade or "bilinear"
    mean = restorer(cfg) if stage == "flow" else None
    task = build._task(stage, cfg, HI, LO, degrade, rng, CPU, mean)
    return Loop(cfg, task, cfg.h2l_steps)


def bilinear(hi, rng):
    return nn.functional.interpolate(
        hi, size=8, mode="bilinear", antialias=True, align_corners=False
    )


def weights(net: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in net.state_dict().items()}


def same(a, b, path: str = "") -> list[str]:
    """Where two nested states differ, to the bit."""
    if isinstance(a, dict):
        return (
            [f"{path}: keys"]
            if a.keys() != b.keys()
            else [d for k in a for d in same(a[k], b[k], f"{path}/{k}")]
        )
    if isinstance(a, (list, tuple)):
        return same(dict(enumerate(a)), dict(enumerate(b)), path)
    if isinstance(a, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if a == b or a != a and b != b else [f"{path}: {a} {b}"]


def grads(nets: nn.Module) -> set[bool]:
    return {p.grad is not None for p in nets.parameters()}


def untrainable(right):
    """Forms of the right answer that nobody can train by, and a part of the hint of each."""

    def number(*given):
        return right(*given).tolist()

    def detached(*given):
        return right(*given).detach()

    def made_anew(*given):
        return torch.tensor(right(*given).tolist())

    return [
        (number, "give the tensor back"),
        (detached, "gradient is cut off"),
        (made_anew, "gradient is cut off"),
    ]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(shape, sigma, seed=0):
    """Of spread sigma in full scale 1, for pictures in [-1, 1]."""
    return 2 * sigma * torch.randn(shape, generator=seeded(seed))


def noisy(x, sigma):
    """Pictures in [0, 1] with noise, still in [0, 1]."""
    return (x + sigma * torch.randn(x.shape, generator=seeded())).clamp(0, 1)


def blurred(x, sigma):
    """Pictures (B, 3, H, W) under a Gaussian."""
    t = torch.arange(-4.0, 5)
    k = torch.exp(-0.5 * (t / sigma) ** 2)
    k = (k / k.sum()).expand(3, 1, -1)
    x = pad(x, (4, 4, 4, 4), mode="reflect")
    return conv2d(conv2d(x, k[:, :, :, None], groups=3), k[:, :, None], groups=3)


def refused(argv, capsys) -> str:
    """The one line with which a command ends."""
    assert cli.main([str(a) for a in argv]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("hlgan: error: ") and shown.err.count("\n") == 1, shown.err
    return shown.err


def content(out: Path) -> dict:
    """All that a run folder must repeat to the bit: times are left out."""
    folder = RunFolder(out)
    log = [json.loads(line) for line in folder.log.read_text().splitlines()]
    state = load_checkpoint(folder.last) | {"seconds": 0}
    kept = {
        "log": [{k: v for k, v in entry.items() if k not in ("seconds", "rate")} for entry in log],
        "last": state,
        "best": load_checkpoint(folder.best) | {"seconds": 0},
        "samples": {p.name: p.read_bytes() for p in sorted(folder.samples.iterdir())},
    }
    if folder.finished:
        kept["weights"] = read_weights(folder.weights)[0]
        kept["scores"] = {
            k: v for k, v in json.loads(folder.scores.read_text()).items() if k != "seconds"
        }
    return kept


def after(n: int) -> Callable[[], bool]:
    """A `stop` that says yes at the n-th update."""
    count = iter(range(1, 10**6))
    return lambda: next(count) == n
