"""Networks as ONNX: the same pictures from ONNX Runtime at any batch, or nothing is written."""

import pytest
import torch
from torch.nn import functional as F

from hlgan_lib import export as exporting
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations import optics
from hlgan_lib.degradations.optics import own_kernels
from hlgan_lib.errors import HLError
from hlgan_lib.networks import LowToHigh, high_to_low, low_to_high
from hlgan_lib.networks.adaptive_law import scene_statistics
from hlgan_lib.networks.camera import LearnedCamera
from tests.helpers import TINY

CAMERA = TINY.replace(h2l_model="camera", size_hi=64, size_lo=16)


def adaptive():
    """A camera whose numbers follow the scene."""
    net = high_to_low(CAMERA.replace(h2l_law="adaptive"))
    torch.nn.init.normal_(net.adaptive.mean_slope, 0, 0.05)
    torch.nn.init.normal_(net.adaptive.spread_slope, 0, 0.05)
    net.adaptive.set(scene_statistics(load_faces("faces:val:hi").batch(slice(0, 64))))
    return net


NETWORKS = {
    "l2h": lambda: LowToHigh(TINY),
    "wavelet": lambda: low_to_high(TINY.replace(l2h_model="wavelet")),
    "deepdeblur": lambda: low_to_high(TINY.replace(l2h_model="deepdeblur")),
    "h2l": lambda: high_to_low(TINY.replace(z_input="concat")),
    "camera": lambda: high_to_low(CAMERA),
    "domains": lambda: high_to_low(CAMERA.replace(domains=2)),
    "adaptive": adaptive,
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
    moved = ((torch.from_numpy(got) - net(*fed.values())).abs() > exporting.APART).float().mean()
    assert moved <= (exporting.ROUNDED if isinstance(net, LearnedCamera) else 0)


def runtime_that_gives(answer, monkeypatch):
    """Instead of ONNX Runtime: it gives `answer(fed)`, and the export itself is left out."""

    class Session:
        def __init__(self, data, providers):
            pass

        def run(self, names, fed):
            return [answer({name: torch.from_numpy(x) for name, x in fed.items()}).numpy()]

    class Runtime:
        InferenceSession = Session

    monkeypatch.setattr(exporting, "_packages", lambda: Runtime)
    monkeypatch.setattr(exporting, "_onnx", lambda net, inputs, result: b"")
    monkeypatch.setattr(exporting, "TIMED_S", 1e-9)


@pytest.mark.parametrize(("n", "fits"), [(1, True), (8, False)])
def test_a_few_of_a_cameras_bytes_may_fall_on_the_next_level(n, fits, monkeypatch, tmp_path):
    net = high_to_low(CAMERA).eval().requires_grad_(False)

    def moved(fed):
        made = net(*fed.values()).contiguous()
        made.flatten(1)[:, :n] += 1 / 127.5  # of 768 values an image
        return made

    runtime_that_gives(moved, monkeypatch)
    if fits:
        assert exporting.export(net, tmp_path / "net.onnx").apart < exporting.APART
        return
    with pytest.raises(HLError, match=r"by up to 0.0078, expected less than 0.0001"):
        exporting.export(net, tmp_path / "net.onnx")


@pytest.mark.parametrize(("stride", "kernel"), [(1, 5), (4, 6)])
def test_own_kernels_are_the_same_when_exported(monkeypatch, stride, kernel):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(3, 2, 22, 22, generator=rng)
    kernels = torch.rand(3, kernel, kernel, generator=rng)
    want = own_kernels(x, kernels, stride)
    for i in range(3):
        alone = F.conv2d(x[i][:, None], kernels[i][None, None], stride=stride)[:, 0]
        assert torch.allclose(want[i], alone, atol=1e-5)
    monkeypatch.setattr(optics, "is_exporting", lambda: True)
    assert torch.allclose(own_kernels(x, kernels, stride), want, atol=1e-5)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(HLError, match=r"must end in .onnx, got .*net.pt"):
        exporting.export("l2h", tmp_path / "net.pt")


def test_a_file_that_computes_something_else_is_not_written(monkeypatch, tmp_path):
    runtime_that_gives(lambda fed: torch.zeros(len(fed["lo"]), 3, 32, 32), monkeypatch)
    with pytest.raises(HLError, match="else than PyTorch of LowToHigh: .*nothing was written"):
        exporting.export(LowToHigh(TINY).eval(), tmp_path / "net.onnx")
    assert not any(tmp_path.iterdir())


def test_exporters_that_do_not_fit_each_other_are_one_line(tmp_path, monkeypatch):
    def failing(*_, **__):
        raise AssertionError("guard\n on a batch")

    monkeypatch.setattr(exporting, "_packages", lambda: None)
    monkeypatch.setattr(torch.export, "export", failing)
    with pytest.raises(HLError, match=r"cannot export LowToHigh \(AssertionError\): pip install"):
        exporting.export(LowToHigh(TINY).eval(), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []
