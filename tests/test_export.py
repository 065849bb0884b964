"""Networks as ONNX: the same pictures from ONNX Runtime at any batch, or nothing is written."""

import pytest
import torch
from torch.nn import functional as F

from hlgan_lib import export as exporting
from hlgan_lib.degradations.optics import own_kernels
from hlgan_lib.errors import HLError
from hlgan_lib.networks import LowToHigh, high_to_low
from tests.helpers import TINY

NETWORKS = {
    "l2h": lambda: LowToHigh(TINY),
    "h2l": lambda: high_to_low(TINY.replace(z_input="concat")),
    "camera": lambda: high_to_low(TINY.replace(h2l_model="camera", size_hi=64, size_lo=16)),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_gives_the_same_pictures_at_any_batch(name, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TIMED_S", 1e-9)
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    net = NETWORKS[name]().eval().requires_grad_(False)
    made = exporting.export(net, tmp_path / "net.onnx")
    assert made.apart < exporting.APART and set(made.ms) == set(exporting.BATCHES)
    session = runtime.InferenceSession(made.path)
    assert [i.name for i in session.get_inputs()] == list(made.inputs)
    fed = exporting._inputs(net, 3)  # a batch that was not checked
    (got,) = session.run(None, {k: v.numpy() for k, v in fed.items()})
    assert torch.allclose(torch.from_numpy(got), net(*fed.values()), atol=1e-4)


@pytest.mark.parametrize(("stride", "kernel"), [(1, 5), (4, 6)])
def test_own_kernels_are_the_same_when_exported(monkeypatch, stride, kernel):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(3, 2, 22, 22, generator=rng)
    kernels = torch.rand(3, kernel, kernel, generator=rng)
    want = own_kernels(x, kernels, stride)
    for i in range(3):
        alone = F.conv2d(x[i][:, None], kernels[i][None, None], stride=stride)[:, 0]
        assert torch.allclose(want[i], alone, atol=1e-5)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert torch.allclose(own_kernels(x, kernels, stride), want, atol=1e-5)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(HLError, match=r"must end in .onnx, got .*net.pt"):
        exporting.export("l2h", tmp_path / "net.pt")


def test_a_file_that_computes_something_else_is_not_written(monkeypatch, tmp_path):
    class Session:
        def __init__(self, data, providers):
            pass

        def run(self, names, fed):
            return [torch.zeros(len(fed["lo"]), 3, 32, 32).numpy()]

    class Runtime:
        InferenceSession = Session

    monkeypatch.setattr(exporting, "_packages", lambda: Runtime)
    monkeypatch.setattr(exporting, "_onnx", lambda net, inputs, result: b"")
    monkeypatch.setattr(exporting, "TIMED_S", 1e-9)
    with pytest.raises(HLError, match="else than PyTorch of LowToHigh: .*nothing was written"):
        exporting.export(LowToHigh(TINY).eval(), tmp_path / "net.onnx")
    assert not any(tmp_path.iterdir())
