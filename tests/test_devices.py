"""What an update would do on a GPU, seen on a CPU: it waits for nothing, and draws on the device.

On a CUDA device these are faults: reading a number back (it waits), indexing by a mask (it waits),
a tensor made of Python numbers (a copy that waits), a tensor made without `device=` (it lies on the
CPU, and the next operation fails), a draw without a generator (another stream). Each shows in the
calls that an update makes, on any device; faults that are planted must be found.
"""

import traceback
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import hlgan_lib
from hlgan_lib.config import STAGES
from hlgan_lib.degradations import DEGRADATIONS, degradation
from hlgan_lib.degradations.other_cameras import OTHER_CAMERAS
from tests.helpers import TINY, bilinear, loop_of

PACKAGE = Path(hlgan_lib.__file__).parent
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal.")
MADE = "arange empty eye full linspace ones rand randint randn randperm zeros".split()
DRAWN = "rand randint randn randperm normal_ uniform_ bernoulli multinomial".split()


def where() -> str | None:
    """The line of the package that an operation comes from; None where torch is its own caller."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if PACKAGE in path.parents:
            return f"{path.name}:{frame.lineno}"
        if "optim" in path.parts or path.name == "grad_scaler.py":
            return None  # its counters of steps lie on the CPU
    return None


class Waits(TorchDispatchMode):
    """Counts operations for which the host would wait."""

    def __init__(self, faults: Counter) -> None:
        super().__init__()
        self.faults = faults

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        by_mask = name.startswith(("aten.index.", "aten.index_put")) and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if name.startswith(WAITS) or by_mask:
            self.note("waits")
        if name.startswith("aten.lift_fresh"):  # torch.tensor of Python numbers
            self.note("copies")
        return func(*args, **(kwargs or {}))

    def note(self, kind: str) -> None:
        if place := where():
            self.faults[f"{kind} {place}"] += 1


class Makes(TorchFunctionMode):
    """Counts tensors that are made on no named device, and draws from no generator."""

    def __init__(self, faults: Counter) -> None:
        super().__init__()
        self.faults = faults

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in MADE and "device" not in kwargs and (place := where()):
            self.faults[f"no device {place}"] += 1
        if name in DRAWN and kwargs.get("generator") is None and (place := where()):
            self.faults[f"no generator {place}"] += 1
        return func(*args, **kwargs)


def faults_of(work) -> Counter:
    """Of the second time: the first makes tables that stay."""
    work()
    faults: Counter = Counter()
    with Makes(faults), Waits(faults):
        work()
    return faults


FULL = {"d_aug": True, "w_r1": 1.0, "scale": 0.1, "rotate_deg": 10, "colour": 0.1}
CASES = {stage: (stage, FULL) for stage in STAGES}
CASES["h2l camera"] = ("h2l", {"h2l_model": "camera", "w_stats": 0.05})
CASES["l2h wavelet"] = ("l2h", {"l2h_model": "wavelet", "amp": "bf16"})
CASES["l2h deepdeblur"] = ("l2h", {"l2h_model": "deepdeblur", "amp": "bf16"})
CASES["l2h near"] = ("l2h", FULL | {"n_near": 3})
CASES["h2l adaptive"] = ("h2l", {"h2l_model": "camera", "h2l_law": "adaptive"})
CASES["h2l kernel and noise"] = ("h2l", {"h2l_model": "kernel+noise"})
CASES["l2h relativistic"] = ("l2h", {"gan_loss": "relativistic", "w_r1": 1.0, "w_r2": 1.0})
CASES["l2h bf16"] = ("l2h", FULL | {"amp": "bf16"})
CASES["h2l batch norm"] = ("h2l", FULL | {"norm": "batch", "skip": False, "jpeg": "measured"})


@pytest.mark.parametrize("case", CASES)
def test_an_update_has_the_manners_of_a_gpu(case):
    stage, changes = CASES[case]
    loop = loop_of(stage, TINY.replace(**changes), bilinear)
    assert faults_of(loop.update) == {}


@pytest.mark.parametrize("name", [*DEGRADATIONS, *(f"camera:{name}" for name in OTHER_CAMERAS)])
def test_a_degradation_has_the_manners_of_a_gpu(name):
    degrade, rng = degradation(name), torch.Generator().manual_seed(0)
    hi = torch.rand(4, 3, 64, 64, generator=rng) * 2 - 1
    assert faults_of(lambda: degrade(hi, rng)) == {}


def _planted(loss_of, fault):
    """A loss of the package's own file with a fault in it."""
    code = compile(f"def planted(batch, x):\n    {fault}\n", str(PACKAGE / "losses.py"), "exec")
    exec(code, names := {"torch": torch})

    def loss(batch):
        total, logs = loss_of(batch)
        names["planted"](batch, total.detach())
        return total, logs

    return loss


FAULTS = {
    "float(x)": "waits",
    "x.item()": "waits",
    "batch['hi'][batch['hi'] > 0]": "waits",
    "(batch['hi'] > 0).nonzero()": "waits",
    "'positive' if x > 0 else 'negative'": "waits",
    "torch.tensor([1.0, 2.0])": "copies",
    "x.new_tensor(3.0)": "copies",
    "torch.arange(4)": "no device",
    "torch.zeros(3)": "no device",
    "torch.randn(3, device=x.device)": "no generator",
    "torch.empty(3, device=x.device).normal_()": "no generator",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, monkeypatch):
    loop = loop_of("l2h", TINY.replace(w_gan=0.0), bilinear)
    monkeypatch.setattr(loop.task, "g_loss", _planted(loop.task.g_loss, fault))
    found = faults_of(loop.update)
    assert sum(found.values()) == 1 and next(iter(found)) == f"{FAULTS[fault]} losses.py:2"
