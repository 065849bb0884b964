"""tools/faces/torchfaces.py reads and runs an OpenVINO IR: made-up graphs, no download."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
CONV = {
    "strides": "1,1",
    "dilations": "1,1",
    "pads_begin": "1,1",
    "pads_end": "1,1",
    "auto_pad": "explicit",
}
TYPES = {"float32": "f32", "int64": "i64"}


@pytest.fixture(scope="module")
def tool():
    folder = str(ROOT / "tools" / "faces")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("torchfaces", f"{folder}/torchfaces.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


class Graph:
    """An IR in the making: each method adds a layer and returns its id."""

    def __init__(self):
        self.layers, self.edges, self.blob = [], [], b""
        self.x = self.add("Parameter")

    def add(self, kind, *inputs, outputs=1, **attributes):
        i = str(len(self.layers))
        data = "".join(f' {k}="{v}"' for k, v in attributes.items())
        ports = "".join(f'<port id="{len(inputs) + k}"/>' for k in range(outputs))
        self.layers.append(
            f'<layer id="{i}" type="{kind}"><data{data}/><output>{ports}</output></layer>'
        )
        for port, source in enumerate(inputs):
            source, k = source if isinstance(source, tuple) else (source, 0)
            self.edges.append((source, k, i, port))
        return i

    def constant(self, values):
        values = np.asarray(values)
        place = {"offset": len(self.blob), "size": values.nbytes}
        self.blob += values.tobytes()
        shape = ",".join(map(str, values.shape))
        return self.add("Const", element_type=TYPES[str(values.dtype)], shape=shape, **place)

    def write(self, path, result):
        self.add("Result", result)
        n_inputs = {}
        for _, _, to, _ in self.edges:
            n_inputs[to] = n_inputs.get(to, 0) + 1
        edges = "".join(
            f'<edge from-layer="{s}" from-port="{n_inputs.get(s, 0) + k}" to-layer="{to}" '
            f'to-port="{port}"/>'
            for s, k, to, port in self.edges
        )
        # The last layer first: the order in the file need not be one that can be executed.
        layers = "".join(reversed(self.layers))
        path.write_text(f"<net><layers>{layers}</layers><edges>{edges}</edges></net>")
        path.with_suffix(".bin").write_bytes(self.blob)
        return path


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def test_a_linear_network_of_any_batch(tool, tmp_path):
    g, w, b, slope = Graph(), normal(5, 4), normal(1, 5), np.float32([0.2])
    linear = g.add("MatMul", g.x, g.constant(w), transpose_a="false", transpose_b="true")
    leaky = g.add("PReLU", g.add("Add", linear, g.constant(b)), g.constant(slope))
    network = tool.Network(g.write(tmp_path / "n.xml", leaky), CPU)
    for n in (1, 7):
        x = torch.from_numpy(normal(n, 4))
        y = x @ torch.from_numpy(w).T + torch.from_numpy(b)
        torch.testing.assert_close(network(x), torch.where(y > 0, y, 0.2 * y))


def test_convolutions_are_torch_s(tool, tmp_path):
    g = Graph()
    w, each, up = normal(6, 3, 3, 3), normal(6, 1, 1, 3, 3), normal(6, 1, 1, 2, 2)
    made = g.add("Convolution", g.x, g.constant(w), **CONV)
    made = g.add("GroupConvolution", made, g.constant(each), **CONV)
    larger = CONV | {"strides": "2,2", "pads_begin": "0,0", "pads_end": "0,0"}
    made = g.add("GroupConvolutionBackpropData", made, g.constant(up), **larger)
    x = torch.from_numpy(normal(2, 3, 8, 8))
    wanted = F.conv2d(x, torch.from_numpy(w), padding=1)
    wanted = F.conv2d(wanted, torch.from_numpy(each[:, 0]), padding=1, groups=6)
    tile = torch.from_numpy(up[:, 0, 0])[None, :, None, :, None, :]
    wanted = (wanted[:, :, :, None, :, None] * tile).reshape(2, 6, 16, 16)
    network = tool.Network(g.write(tmp_path / "n.xml", made), CPU)
    torch.testing.assert_close(network(x), wanted, atol=1e-5, rtol=1e-5)


def test_shapes_are_worked_out_from_the_batch(tool, tmp_path):
    g = Graph()
    shape = g.add("ShapeOf", g.x, output_type="i64")
    zero = g.constant(np.int64(0))
    n = g.add("Gather", shape, g.constant(np.int64([0])), zero, batch_dims="0")
    target = g.add("Concat", n, g.constant(np.int64([2, 3])), axis="0")
    made = g.add("Reshape", g.x, target, special_zero="false")
    axis, lengths = g.constant(np.int64(1)), g.constant(np.int64([1, 1]))
    parts = g.add("VariadicSplit", made, axis, lengths, outputs=2)
    second = g.add("Squeeze", (parts, 1), g.constant(np.int64([1])))
    mean = g.add("ReduceMean", second, g.constant(np.int64([1])), keep_dims="true")
    x = torch.from_numpy(normal(5, 6))
    made = tool.Network(g.write(tmp_path / "n.xml", mean), CPU)(x)
    torch.testing.assert_close(made, x[:, 3:].mean(1, keepdim=True))


def test_what_it_does_not_know_is_refused(tool, tmp_path):
    g = Graph()
    with pytest.raises(NotImplementedError, match="not known here: Softmax"):
        tool.Network(g.write(tmp_path / "n.xml", g.add("Softmax", g.x)), CPU)
    g = Graph()
    uneven = CONV | {"pads_end": "0,0"}
    made = g.add("Convolution", g.x, g.constant(normal(1, 1, 3, 3)), **uneven)
    network = tool.Network(g.write(tmp_path / "m.xml", made), CPU)
    with pytest.raises(NotImplementedError, match="a convolution with"):
        network(torch.zeros(1, 1, 4, 4))


def test_layers_that_go_round_in_a_circle_are_named(tool, tmp_path):
    g = Graph()
    one = g.add("Add", g.x, g.x)
    g.edges[-1] = (one, 0, one, 1)
    with pytest.raises(ValueError, match="round in a circle"):
        tool.Network(g.write(tmp_path / "n.xml", one), CPU)


def test_a_face_has_its_own_z_and_its_own_distance_from_the_mean(tool):
    z, a = tool.drawn(3)
    again, same = tool.drawn(3)
    assert z.shape == (1, 512) and np.array_equal(z, again) and a == same
    assert not np.array_equal(z, tool.drawn(4)[0])
    assert all(0.55 <= tool.drawn(i)[1] <= 0.85 for i in range(20))
