"""Mixed precision: what a probe chooses, what stays in float32, what a resume keeps."""

import json

import pytest
import torch
from torch import nn

from hlgan_lib import precision
from hlgan_lib.checkpoint import OtherRun
from hlgan_lib.losses import r1
from hlgan_lib.networks.paper import Discriminator
from hlgan_lib.precision import AMP, channels_last_pays, native_half, what_pays
from hlgan_lib.training import build
from tests.helpers import TINY, bilinear, loop_of, train

LAYERS = ((4, 8),)
CPU = torch.device("cpu")


@pytest.fixture
def timed(monkeypatch):
    """timed(off, half): a device that takes so many seconds; returns the list of what was timed."""
    precision._probe.cache_clear()

    def pretend(off: float, half: float) -> list[str]:
        asked = []

        def seconds(device, layers, n, amp, layout=None):
            asked.append(amp)
            return off if amp == "off" else half

        monkeypatch.setattr(precision, "_seconds", seconds)
        return asked

    yield pretend
    precision._probe.cache_clear()


@pytest.mark.parametrize(
    ("half", "chosen", "n"), [(0.4, "bf16", 8), (0.9, "off", 8), (1.5, "off", 8), (5.0, "off", 2)]
)
def test_half_precision_is_chosen_where_it_pays_clearly(timed, half, chosen, n):
    asked = timed(1.0, half)
    assert what_pays(CPU, LAYERS, 16) == chosen
    assert len(asked) == n  # what is emulated is given up after the first round
    assert what_pays(CPU, LAYERS, 64) == chosen and len(asked) == n  # once a process


def test_the_probe_itself_runs_on_this_machine():
    assert what_pays(CPU, ((4, 8), (8, 4)), 2) in ("off", "bf16")
    for amp in ("off", "bf16", "fp16"):
        assert precision._seconds(CPU, LAYERS, 2, amp) > 0


@pytest.mark.parametrize(
    ("capability", "half"), [((7, 5), "fp16"), ((7, 0), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")]
)
def test_a_gpu_that_emulates_bf16_takes_fp16(monkeypatch, capability, half):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert native_half(torch.device("cuda")) == half
    assert native_half(CPU) == "bf16"


def test_the_decision_is_stored_and_a_resume_keeps_it(monkeypatch, tmp_path):
    cfg = TINY.replace(amp="auto")
    monkeypatch.setattr(build, "what_pays", lambda device, layers, batch: "bf16")
    ticks = train("h2l", cfg, out=tmp_path)
    assert ticks.gi_frame.f_locals["loop"].amp is torch.bfloat16
    next(ticks)
    ticks.close()
    assert json.loads((tmp_path / "config.json").read_text())["config"]["amp"] == "bf16"

    monkeypatch.setattr(build, "what_pays", lambda device, layers, batch: "off")
    with pytest.raises(OtherRun, match="another amp"):
        train("h2l", cfg.replace(amp="off"), out=tmp_path, resume=True)
    ticks = train("h2l", cfg, out=tmp_path, resume=True)
    assert ticks.gi_frame.f_locals["loop"].amp is torch.bfloat16
    assert next(ticks).step == 2


def test_the_probe_is_of_the_convolutions_in_use(monkeypatch):
    asked = []
    monkeypatch.setattr(build, "what_pays", lambda *what: asked.append(what) or "off")
    cfg = TINY.replace(amp="auto")
    for stage in ("h2l", "l2h", "joint"):
        train(stage, cfg) if stage != "joint" else build._settled(cfg, stage, CPU, None)
    width, wide, d = cfg.h2l_width, cfg.l2h_width, cfg.d_width
    assert [layers for _, layers, _ in asked] == [
        ((width, 8), (d, 8)),
        ((wide, 8), (d, 32)),
        ((wide, 8), (d, 32)),
    ]


@pytest.mark.parametrize(("nchw", "kept"), [(0.7, False), (0.9, True), (1.5, True)])
def test_channels_last_is_left_where_nchw_is_clearly_faster(monkeypatch, nchw, kept):
    asked = []

    def seconds(device, layers, n, amp, layout):
        asked.append((layers, n))
        return 1.0 if layout is torch.channels_last else nchw

    monkeypatch.setattr(precision, "_seconds", seconds)
    precision._layout_probe.cache_clear()
    wide = ((16, 64), (128, 64))
    assert channels_last_pays(CPU, wide) is kept
    assert set(asked) == {(((128, 64),), 1)}
    n = len(asked)
    assert channels_last_pays(CPU, wide) is kept and len(asked) == n  # once a process
    # Nothing to measure: narrow layers, half precision, a GPU.
    assert channels_last_pays(CPU, ((64, 16), (24, 64)))
    assert channels_last_pays(CPU, wide, "bf16")
    assert channels_last_pays(torch.device("cuda"), wide)
    assert len(asked) == n
    precision._layout_probe.cache_clear()


def test_the_probe_computes_in_the_layout_that_it_measures(monkeypatch):
    seen = []
    forward = nn.Conv2d.forward

    def watched(conv, x):
        seen.extend((conv.weight, x))
        return forward(conv, x)

    monkeypatch.setattr(nn.Conv2d, "forward", watched)
    for layout in (torch.channels_last, torch.contiguous_format):
        assert precision._seconds(CPU, LAYERS, 2, "off", layout) > 0
        assert seen and all(x.is_contiguous(memory_format=layout) for x in seen)
        seen.clear()


def test_the_layout_is_stored_and_a_resume_keeps_it(monkeypatch, tmp_path):
    cfg = TINY.replace(channels_last=True)
    monkeypatch.setattr(build, "channels_last_pays", lambda *what: False)
    ticks = train("h2l", cfg, out=tmp_path)
    next(ticks)
    ticks.close()
    stored = json.loads((tmp_path / "config.json").read_text())["config"]
    assert stored["channels_last"] is False

    monkeypatch.setattr(build, "channels_last_pays", lambda *what: True)
    ticks = train("h2l", cfg, out=tmp_path, resume=True)
    assert ticks.gi_frame.f_locals["loop"].cfg.channels_last is False
    assert next(ticks).step == 2


def test_a_layout_that_is_refused_is_never_probed(monkeypatch):
    monkeypatch.setattr(build, "channels_last_pays", lambda *what: pytest.fail("probed"))
    cfg = TINY.replace(channels_last=False)
    assert build._settled(cfg, "h2l", CPU, None)["channels_last"] is False


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("stage", ["h2l", "l2h", "cyclegan"])
def test_weights_losses_and_averages_stay_in_float32(stage, amp):
    cfg = TINY.replace(amp=amp, w_r1=1.0, d_aug=True, skip=False)
    full, half = (loop_of(stage, c, bilinear) for c in (cfg.replace(amp="off"), cfg))
    seen = []
    conv = next(m for m in half.task.generators.modules() if isinstance(m, nn.Conv2d))
    conv.register_forward_hook(lambda m, x, y: seen.append(y.dtype))
    for loop in (full, half):
        loop.update(), loop.update()
    assert set(seen) == {AMP[amp]}  # it does compute in half precision
    for nets in (half.task.generators, half.task.discriminators, half.nets):
        assert {p.dtype for p in nets.state_dict().values() if p.is_floating_point()} == {
            torch.float32
        }
    loss, logs = half.task.g_loss(half.task.batch())
    assert {v.dtype for v in (loss, *logs.values())} == {torch.float32}
    means, halved = full.means(), half.means()
    assert means == pytest.approx(halved, rel=0.1, abs=0.05) and means != halved


def test_spectral_norm_is_computed_in_float32_and_once_a_call():
    torch.manual_seed(0)
    d = Discriminator(16, 8)
    start = {k: v.clone() for k, v in d.state_dict().items()}
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    d(x)
    after = {k: v.clone() for k, v in d.state_dict().items()}
    assert any(not torch.equal(v, start[k]) for k, v in after.items())  # a power iteration
    d.load_state_dict(start)
    seen = []
    d.stem.register_forward_pre_hook(lambda m, x: seen.append(m.weight))
    with torch.autocast("cpu", torch.bfloat16):
        d(x)
        d.eval()
    assert seen[0].dtype == torch.float32 and torch.equal(seen[0], d.stem.weight)
    assert all(torch.equal(v, after[k]) for k, v in d.state_dict().items())


def test_r1_is_computed_in_float32():
    torch.manual_seed(0)
    d = Discriminator(16, 8).eval()
    real = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    want = r1(d, real)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(r1(d, real), want)
