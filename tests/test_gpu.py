"""On a CUDA device: every stage trains, agrees with the CPU, resumes, and never waits in an update.

All of it is skipped where there is none. Float32 means float32 here: TF32 is off.
"""

import json
import math
import os
import warnings

os.environ.setdefault(
    "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
)  # what deterministic matrix products ask for

import pytest  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import hlgan_lib as hl  # noqa: E402
from hlgan_lib import analysis, graphs  # noqa: E402
from hlgan_lib.config import STAGES  # noqa: E402
from hlgan_lib.data.sampling import augment  # noqa: E402
from hlgan_lib.degradations import jpeg, optics  # noqa: E402
from hlgan_lib.inference import shots  # noqa: E402
from hlgan_lib.training.build import OF_PAIRS  # noqa: E402
from tests.helpers import same  # noqa: E402

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
SMOKE = hl.preset("smoke").replace(n_hi=200, n_lo=200)
LEVEL = 1 / 127.5  # one of 256 levels, in [-1, 1]
# How far weights may be apart after three updates, as a share of their way. CycleGAN's biases in
# front of an instance norm have no gradient but rounding, of which Adam makes whole steps.
APART = dict.fromkeys(STAGES, 0.02) | {"cyclegan": 0.25}


@pytest.fixture(autouse=True)
def float32_is_float32():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions prefer another name for these
        before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        yield
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.fixture
def deterministic():
    """Where an operation has no deterministic form it is used as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(True, warn_only=True)
        yield
        torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs of both stages, trained on the CPU."""
    out = tmp_path_factory.mktemp("runs")
    list(hl.train(SMOKE, "h2l", device="cpu", out=out / "h2l"))
    list(
        hl.train(SMOKE, "l2h", device="cpu", out=out / "l2h", degradation=f"learned:{out / 'h2l'}")
    )
    return {"h2l": out / "h2l", "l2h": out / "l2h"}


@pytest.fixture(scope="module")
def faces():
    pairs = hl.load_faces("faces:val")
    return pairs.hi.batch(slice(0, 48)), pairs.lo.batch(slice(0, 48))


def train(stage, cfg, runs, device=DEVICE, **more):
    data = runs if stage == "joint" else {}
    if stage in OF_PAIRS:
        data = {"degradation": f"learned:{runs['h2l']}"}
    if stage == "flow":
        data["l2h"] = runs["l2h"]
    return hl.train(cfg, stage, device=device, **(data | more))


def loop_of(stage, cfg, runs, device=DEVICE, **more):
    """The loop that the iterator of ticks holds, before its first update."""
    return train(stage, cfg, runs, device, **more).gi_frame.f_locals["loop"]


def twins(stage, runs, cfgs, devices):
    """Two loops of the same first weights that see the same batches and noise, drawn on the CPU."""
    source = loop_of(stage, cfgs[0], runs, "cpu")
    drawn = [source.task.batch() for _ in range(12)]
    z = source.task.new_z(cfgs[0].batch)
    loops = [loop_of(stage, cfg, runs, device) for cfg, device in zip(cfgs, devices)]
    for loop in loops:
        batches = iter([{k: v.to(loop.task.device) for k, v in batch.items()} for batch in drawn])
        loop.task.batch = lambda batches=batches: next(batches)
        loop.task.new_z = lambda n, rng=None, device=loop.task.device: z.to(device)
    return loops


def networks(loop):
    nets = {**loop.task.generators, **loop.task.discriminators}
    return nets | {f"mean of {name}": net for name, net in loop.nets.items() if loop.ema}


def flat(net: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().cpu().flatten() for p in net.parameters()])


def check_close(one, other, start, share):
    """The weights of two loops differ by less than this share of the way that they have come."""
    for name, net in networks(one).items():
        way = (flat(net) - start[name]).norm()
        gap = (flat(net) - flat(networks(other)[name])).norm()
        assert way > 0 and gap / way < share, f"{name}: {gap / way:.2g} of its way"


def after(n):
    """A `stop` that says yes at the n-th update."""
    count = iter(range(1, 10**6))
    return lambda: next(count) == n


def checkpoint(out):
    state = torch.load(out / "checkpoints" / "last.pt", map_location="cpu", weights_only=True)
    return {k: v for k, v in state.items() if k not in ("seconds", "history")}


def waits(work) -> list[str]:
    """Where `work()` makes the CPU wait for the device, a line a time."""
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            caught.clear()
            work()
            found = [
                f"{w.filename}:{w.lineno}" for w in caught if "synchronizing" in str(w.message)
            ]
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return found


# ---- every stage ---------------------------------------------------------------------------------
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_trains_and_its_weights_serve_on_the_cpu(stage, runs, tmp_path, faces):
    ticks = list(train(stage, SMOKE, runs, out=tmp_path / stage))
    assert ticks[-1].step == ticks[-1].steps and all(
        math.isfinite(v) for t in ticks for v in t.losses.values()
    )
    assert math.isfinite(ticks[-1].score) and ticks[-1].samples.device.type == "cpu"
    assert json.loads((tmp_path / stage / "scores.json").read_text())["device"] == DEVICE
    assert all(v.device.type == "cpu" for v in checkpoint(tmp_path / stage)["generators"].values())
    here, there = (hl.load_weights(tmp_path / stage, device=d) for d in ("cpu", DEVICE))
    rng, hi, lo = torch.Generator().manual_seed(0), faces[0][:8], faces[1][:8]
    given = {
        "h2l": (hi, torch.randn(8, SMOKE.z_dim, generator=rng)),
        "flow": (lo, torch.randn(hi.shape, generator=rng)),
    }.get(stage, (lo,))
    with torch.no_grad():
        a, b = here(*given), there(*(x.to(DEVICE) for x in given)).cpu()
    assert (a - b).abs().max() < LEVEL / 8


@pytest.mark.parametrize("stage", [s for s in STAGES if s != "flow"])  # it draws in its loss
def test_the_first_updates_agree_with_the_cpu(stage, runs):
    cfg = SMOKE.replace(w_r1=1.0, w_stats=0.0)  # nor is anything drawn on the device in these
    here, there = twins(stage, runs, [cfg] * 2, ["cpu", DEVICE])
    start = {name: flat(net) for name, net in networks(here).items()}
    for name, net in networks(there).items():
        assert torch.equal(flat(net), start[name])
    here.update(), there.update()
    # Adam's first step is the sign of a gradient: rounding turns some, which G's loss sees.
    assert there.means() == pytest.approx(here.means(), rel=1e-3, abs=1e-3)
    for loop in (here, there):
        loop.update(), loop.update()
    check_close(here, there, start, APART[stage])


# ---- pictures and numbers ------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "blur", "handmade", "camera"])
def test_degradations_agree_with_the_cpu(name, faces):
    """One generator on the CPU makes the draws of both.

    A coefficient at the edge of two JPEG steps may fall on either side, which moves its block.
    """
    make = hl.degradations.degradation(name)
    a, b = (make(faces[0].to(d), torch.Generator().manual_seed(3)).cpu() for d in ("cpu", DEVICE))
    gap = (a - b).abs()
    if name in ("handmade", "camera"):
        assert (gap > 1.01 * LEVEL).double().mean() < 0.01 and gap.mean() < LEVEL / 4
    else:
        assert gap.max() < 1e-5


@pytest.mark.parametrize("name", ["blur", "handmade", "camera"])
def test_degradations_draw_on_the_device(name, faces):
    make = hl.degradations.degradation(name)
    a, b, c = (make(faces[0].to(DEVICE), torch.Generator(DEVICE).manual_seed(s)) for s in (1, 1, 2))
    assert a.device.type == DEVICE and a.shape == (48, 3, 16, 16) and a.isfinite().all()
    assert (a - b).abs().mean() < 1e-4 and not torch.equal(a, c)


def test_kernels_resampling_and_augmentation_agree_with_the_cpu(faces):
    rng = torch.Generator().manual_seed(0)
    u = [torch.rand(48, generator=rng) for _ in range(4)]
    n_in, n_out, kind = (16 + 24 * u[0]).long(), (8 + 24 * u[1]).long(), (4 * u[2]).long()

    def made(device):
        x, (a, b, c, d) = faces[0].to(device), (v.to(device) for v in u)
        disc = optics.psf(8 * a, 3 * b, 3 * c, 8)
        return {
            "psf": disc,
            "gaussian": optics.gaussian(0.5 + a, 0.5 + b, 3 * c, 4),
            "sinc": optics.sinc(2 + a, 5),
            "blur": optics.blur(x, disc),
            "tone": optics.tone((x + 1) / 2, 1 + d[:, None, None, None]),
            "light": optics.srgb_encode(optics.srgb_decode((x + 1) / 2)),
            "resampling": optics.resampling(
                n_in.to(device), n_out.to(device), kind.to(device), 32, 40
            ),
            "integration": optics.integration(64, n_out.to(device), 32),
            "augment": augment(
                x, torch.Generator().manual_seed(1), scale=0.1, rotate_deg=10, shift=0.1, colour=0.1
            ),
        }

    here, there = made("cpu"), made(DEVICE)
    for name, a in here.items():
        assert (a - there[name].cpu()).abs().max() < (1e-3 if name == "augment" else 2e-5), name


def test_jpeg_and_its_gradient_agree_with_the_cpu(faces):
    rng = torch.Generator().manual_seed(0)
    quality, half = 30 + 60 * torch.rand(48, generator=rng), torch.rand(48, generator=rng) < 0.5
    size, offset = torch.full((48,), 16), (16 * torch.rand(48, 2, generator=rng)).long()
    out, grads = [], []
    for device in ("cpu", DEVICE):
        x = ((faces[1] + 1) / 2).to(device).requires_grad_()
        y = jpeg.jpeg_inside_photograph(x, *(v.to(device) for v in (size, quality, half, offset)))
        (y * torch.linspace(0, 1, 16, device=device)).sum().backward()
        out.append(y.detach().cpu()), grads.append(x.grad.cpu())
    gap = (out[0] - out[1]).abs()
    assert (gap > 1e-4).double().mean() < 0.01 and gap.mean() < 1e-4
    assert ((grads[0] - grads[1]).abs() > 1e-3).double().mean() < 0.01


def test_scores_agree_with_the_cpu(faces):
    fake = hl.degradations.bilinear(faces[0], 16)
    fake = nn.functional.interpolate(fake, size=64, mode="bicubic", align_corners=False).clamp(
        -1, 1
    )
    a, b = (
        hl.evaluate(fake.to(d), faces[0].to(d), paired=True, n_boot=20) for d in ("cpu", DEVICE)
    )
    assert {"psnr", "ssim", "frechet_lite0", "kernel_lite0"} <= a.keys() == b.keys()
    for name in a:
        assert b[name]["value"] == pytest.approx(a[name]["value"], rel=1e-3), name
        assert b[name]["ci"] == pytest.approx(a[name]["ci"], rel=2e-3, abs=1e-4), name


def test_analysis_agrees_with_the_cpu(faces):
    hi, lo = faces
    (fit, kernel, probe, numbers), (fit_b, kernel_b, probe_b, numbers_b) = (
        (
            analysis.blur_fit(hi.to(d), lo.to(d)),
            analysis.effective_kernel(hi.to(d), lo.to(d)),
            analysis.probe_kernel("bilinear", hi.to(d)),
            analysis.statistics(lo.to(d)),
        )
        for d in ("cpu", DEVICE)
    )
    assert torch.allclose(fit.width, fit_b.width, rtol=1e-4) and torch.allclose(numbers, numbers_b)
    assert torch.allclose(kernel.taps, kernel_b.taps, atol=1e-6)
    assert torch.allclose(probe.taps, probe_b.taps, atol=1e-4) and probe.width == pytest.approx(
        probe_b.width, rel=1e-3
    )
    assert shots("camera", hi.to(DEVICE), n=2).shape == (2, 48, 3, 16, 16)


# ---- precision, layout, compiler -----------------------------------------------------------------
@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("stage", STAGES)
def test_half_precision_stays_near_float32(stage, amp, runs):
    full, half = twins(stage, runs, [SMOKE, SMOKE.replace(amp=amp)], [DEVICE] * 2)
    for n in range(4):
        full.update(), half.update()
        if n == 0:
            first = full.means(), half.means()
    a, b = first
    for k in a:
        if not k.endswith("d_sure"):  # a share of scores beyond a limit
            assert b[k] == pytest.approx(a[k], rel=0.05, abs=0.02), k
    assert all(math.isfinite(v) for v in half.means().values()) and half.broken() == []
    assert all(
        p.dtype == torch.float32 for net in networks(half).values() for p in net.parameters()
    )


@pytest.mark.parametrize("stage", STAGES)
def test_float16_loses_no_first_update(stage, runs):
    loop = loop_of(stage, SMOKE.replace(amp="fp16"), runs)
    scale = loop.scaler.get_scale()
    before = {name: flat(net) for name, net in networks(loop).items()}
    loop.update()
    assert (
        loop.scaler.get_scale() == scale
    )  # else a gradient overflowed, and an optimiser stood still
    assert all(not torch.equal(flat(net), before[name]) for name, net in networks(loop).items())


def test_float16_recovers_from_an_overflow(runs):
    loop = loop_of("h2l", SMOKE.replace(amp="fp16"), runs)
    loop.scaler = torch.amp.GradScaler(DEVICE, init_scale=2.0**40)
    before = {name: flat(net) for name, net in networks(loop).items()}
    loop.update()
    assert loop.scaler.get_scale() < 2.0**40  # these gradients were infinite and have been left out
    assert all(torch.equal(flat(net), before[name]) for name, net in networks(loop).items())
    for _ in range(30):
        loop.update()
    assert loop.broken() == [] and not torch.equal(flat(loop.task.generators["h2l"]), before["h2l"])


@pytest.mark.parametrize("stage", STAGES)
def test_channels_last_changes_the_layout_and_not_the_result(stage, runs):
    plain, last = twins(
        stage, runs, [SMOKE.replace(channels_last=c) for c in (False, True)], [DEVICE] * 2
    )
    start = {name: flat(net) for name, net in networks(plain).items()}
    for loop in (plain, last):
        loop.update()
    assert last.means() == pytest.approx(plain.means(), rel=1e-4, abs=1e-5)
    for loop in (plain, last):
        loop.update(), loop.update()
    check_close(plain, last, start, APART[stage])
    wide = [p for p in last.task.generators.parameters() if p.ndim == 4 and min(p.shape) > 1]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in wide)


# What an update may decide, compute or draw: a graph of it must do the same.
GRAPHED = [
    *((stage, {}) for stage in STAGES if stage != "cyclegan"),
    *(("h2l", {"amp": amp, "w_r1": 1.0}) for amp in ("bf16", "fp16")),
    ("h2l", {"h2l_model": "paper", "jpeg": "measured"}),
    ("h2l", {"h2l_model": "kernel+noise"}),
    ("h2l", {"h2l_law": "adaptive"}),
    ("h2l", {"norm": "batch", "d_aug": True}),
    ("l2h", {"scale": 0.1, "rotate_deg": 10.0, "colour": 0.1}),
    ("l2h", {"d_steps": 5, "w_r1": 1.0, "w_r2": 1.0, "penalty_every": 2}),
    ("l2h", {"w_gan": 0.0}),
    ("l2h", {"l2h_model": "wavelet"}),
    ("l2h", {"l2h_model": "deepdeblur"}),
]


@pytest.mark.parametrize(("stage", "change"), GRAPHED, ids=str)
def test_a_graph_does_what_updates_one_by_one_do(
    stage, change, runs, tmp_path, deterministic, monkeypatch
):
    steps = {f"{stage}_steps": 12}
    cfg = SMOKE.replace(save_images=10**6, **change, **steps)
    list(train(stage, cfg, runs, out=tmp_path / "graph"))
    monkeypatch.setattr(graphs, "WARM_UP", 12)
    list(train(stage, cfg, runs, out=tmp_path / "one by one"))
    assert same(*(checkpoint(tmp_path / name) for name in ("graph", "one by one"))) == []


def test_a_graph_is_recorded_where_it_can_be(runs, monkeypatch):
    recorded = []
    record = graphs.GraphedUpdate._recorded
    monkeypatch.setattr(
        graphs.GraphedUpdate, "_recorded", lambda self: recorded.append(1) or record(self)
    )
    for stage, change, n in (
        ("l2h", {}, 1),
        ("cyclegan", {}, 0),
        ("l2h", {"cuda_graphs": False}, 0),
    ):
        recorded.clear()
        list(train(stage, SMOKE.replace(**change), runs))
        assert len(recorded) == n


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's advice
@pytest.mark.parametrize(
    ("stage", "change"),
    [("h2l", {}), ("h2l", {"w_r1": 1.0}), ("l2h", {"amp": "bf16"}), ("h2l", {"jpeg": "measured"})],
    ids=["h2l", "h2l R1", "l2h bf16", "h2l JPEG"],
)
def test_compiled_networks_train_and_keep_their_names(stage, change, runs, tmp_path):
    torch.compiler.reset()
    cfg = SMOKE.replace(**change)
    eager, compiled = (
        list(train(stage, cfg.replace(compile=c), runs, out=tmp_path / str(c)))
        for c in (False, True)
    )
    rel = 0.05 if "amp" in change else 1e-3
    for name, value in eager[0].losses.items():
        assert compiled[0].losses[name] == pytest.approx(value, rel=rel, abs=rel / 10), name
    assert all(math.isfinite(v) for v in compiled[-1].losses.values())
    assert hl.load_weights(tmp_path / "True").cfg.compile


# ---- resume --------------------------------------------------------------------------------------
CASES = {
    "h2l": ("h2l", {}),
    "h2l rich": ("h2l", {"norm": "batch", "d_aug": True, "w_r1": 1.0, "jpeg": "measured"}),
    "l2h": ("l2h", {}),
    "l2h fp16": ("l2h", {"amp": "fp16"}),
    "srgan": ("srgan", {}),
    "cyclegan": ("cyclegan", {"batch": 12}),
    "semicycle": ("semicycle", {}),
    "pseudo": ("pseudo", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_six_updates_are_three_and_three(case, runs, tmp_path, deterministic):
    stage, change = CASES[case]
    cfg = SMOKE.replace(save_images=10**6, **change)
    list(train(stage, cfg, runs, out=tmp_path / "whole"))
    list(train(stage, cfg, runs, out=tmp_path / "parts", stop=after(3)))
    assert checkpoint(tmp_path / "parts")["step"] == 3
    list(train(stage, cfg, runs, out=tmp_path / "parts", resume=True))
    whole, parts = (checkpoint(tmp_path / n) for n in ("whole", "parts"))
    assert same(whole, parts) == []


@pytest.mark.parametrize("stage", ["h2l", "l2h"])
def test_without_deterministic_algorithms_a_resumed_run_stays_near(stage, runs, tmp_path):
    cfg = SMOKE.replace(save_images=10**6)
    list(train(stage, cfg, runs, out=tmp_path / "whole"))
    list(train(stage, cfg, runs, out=tmp_path / "parts", stop=after(3)))
    list(train(stage, cfg, runs, out=tmp_path / "parts", resume=True))
    whole, parts = (checkpoint(tmp_path / n)["generators"] for n in ("whole", "parts"))
    assert torch.cat([(whole[k] - parts[k]).flatten() for k in whole]).abs().mean() < 0.01 * cfg.lr


@pytest.mark.parametrize("amp", ["off", "fp16"])
@pytest.mark.parametrize(
    ("stage", "first", "second"),
    [("h2l", DEVICE, "cpu"), ("h2l", "cpu", DEVICE), ("cyclegan", DEVICE, "cpu")],
)
def test_a_checkpoint_goes_on_on_another_device(stage, first, second, amp, runs, tmp_path):
    cfg, out = SMOKE.replace(amp=amp, batch=12), tmp_path / "run"
    list(train(stage, cfg, runs, first, out=out, stop=after(5)))
    stored = checkpoint(out)
    with pytest.warns(UserWarning, match="another kind of device"):
        *_, tick = train(stage, cfg, runs, second, out=out, resume=True)
    assert tick.step == 6 and all(math.isfinite(v) for v in tick.losses.values())
    assert json.loads((out / "scores.json").read_text())["device"] == second
    loop, moved = loop_of(stage, cfg, runs, second), checkpoint(out)
    whole = torch.load(out / "checkpoints" / "last.pt", map_location="cpu", weights_only=True)
    with pytest.warns(UserWarning, match="another kind of device"):
        loop.load(whole | stored)
    assert {p.device.type for p in loop.task.generators.parameters()} == {second}
    got = loop.state()
    for key in ("step", "generators", "discriminators", "ema", "opt_g", "opt_d"):
        assert (
            same(
                stored[key],
                torch.utils._pytree.tree_map_only(torch.Tensor, torch.Tensor.cpu, got[key]),
            )
            == []
        ), key
    assert moved["step"] == 6 and same(stored["generators"], moved["generators"])


# ---- no waiting ----------------------------------------------------------------------------------
UPDATES = {
    "h2l": ("h2l", {}, {}),
    "l2h learned": ("l2h", {}, {}),
    "l2h near": ("l2h", {"n_near": 4}, {}),
    "l2h camera": ("l2h", {}, {"degradation": "camera"}),
    "l2h handmade": ("l2h", {}, {"degradation": "handmade"}),
    "l2h blur": ("l2h", {}, {"degradation": "blur"}),
    "h2l rich": (
        "h2l",
        {
            "norm": "batch",
            "d_aug": True,
            "w_r1": 1.0,
            "jpeg": "measured",
            "h2l_model": "camera+network",
            "scale": 0.1,
            "colour": 0.1,
        },
        {},
    ),
    "h2l bf16": ("h2l", {"amp": "bf16"}, {}),
    "joint": ("joint", {}, {}),
    "srgan": ("srgan", {}, {}),
    "cyclegan": ("cyclegan", {"batch": 12}, {}),
    "flow": ("flow", {}, {}),
    "semicycle": ("semicycle", {}, {}),
    "pseudo": ("pseudo", {}, {}),
}


@pytest.mark.parametrize("case", UPDATES)
def test_an_update_never_waits_for_the_device(case, runs):
    stage, change, data = UPDATES[case]
    loop = loop_of(stage, SMOKE.replace(n_hi=30, n_lo=30, **change), runs, **data)
    for _ in range(6):
        loop.update()
    assert waits(lambda: [loop.update() for _ in range(8)]) == []  # more than an epoch
    assert len(waits(loop.means)) <= 1 and len(waits(loop.broken)) <= 1
    g_loss = loop.task.g_loss
    loop.task.g_loss = lambda batch: (batch["hi"].mean().item(), g_loss(batch))[1]
    assert len(waits(loop.update)) == 1  # and what waits is counted


def test_float16_waits_once_for_each_optimiser(runs):
    """GradScaler asks whether a gradient overflowed before it lets the optimiser go."""
    loop = loop_of("l2h", SMOKE.replace(amp="fp16"), runs)
    loop.update(), loop.update()
    found = waits(loop.update)
    assert len(found) <= 2 and all("grad_scaler" in line for line in found)
