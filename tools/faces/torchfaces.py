"""The faces of make_faces.py by PyTorch alone, many at a time: for a GPU.

    python tools/faces/torchfaces.py OUT [--first 5000] [--count 30000] [--device cuda]

MobileStyleGAN's two network files (OpenVINO IR, of the package random_face) are read as they are
and executed layer by layer by torch, for whole batches. Numbers, style and JPEG steps are those of
make_faces.py; sums are made in another order, so a face may differ from its own by some levels of
255: at most 10, and 55 dB or more, for faces 0 to 2 on a CPU. `--check DIR` says it of others.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from make_faces import agreement, drawn, many_z, network_files, write
from PIL import Image
from torch import Tensor

TYPES = {"f32": np.float32, "i64": np.int64, "i32": np.int32}
Place = tuple[str, int]  # a layer's id and which of its outputs
Attributes = dict[str, str]


class Layer(NamedTuple):
    """A layer of an IR: the values that it reads, in the order of its ports."""

    id: str
    kind: str
    attributes: Attributes
    inputs: list[Place]


# ---- the file ------------------------------------------------------------------------------------
def parse(xml: Path) -> tuple[list[Layer], dict[Place, Tensor]]:
    """Layers of an OpenVINO IR in an order that can be executed, and its constants."""
    root = ElementTree.parse(xml).getroot()
    blob = xml.with_suffix(".bin").read_bytes()
    found = {layer.get("id", ""): layer for layer in root.iterfind("layers/layer")}

    # An edge names ports; what counts is which output of which layer a port stands for.
    edges: dict[str, dict[int, Place]] = {i: {} for i in found}
    for edge in root.iterfind("edges/edge"):
        source = edge.get("from-layer", "")
        ports = [port.get("id") for port in found[source].iterfind("output/port")]
        place = (source, ports.index(edge.get("from-port")))
        edges[edge.get("to-layer", "")][int(edge.get("to-port", ""))] = place

    layers: list[Layer] = []
    constants: dict[Place, Tensor] = {}
    waiting = list(found)
    done: set[str] = set()
    while waiting:
        ready = [i for i in waiting if done.issuperset(source for source, _ in edges[i].values())]
        if not ready:
            raise ValueError(f"{xml}: the layers go round in a circle")
        for i in ready:
            data = found[i].find("data")
            attributes = {} if data is None else dict(data.attrib)
            kind = found[i].get("type", "")
            if kind == "Const":
                constants[i, 0] = constant(attributes, blob)
            else:
                inputs = [edges[i][port] for port in sorted(edges[i])]
                layers.append(Layer(i, kind, attributes, inputs))
        done.update(ready)
        waiting = [i for i in waiting if i not in done]
    return layers, constants


def constant(attributes: Attributes, blob: bytes) -> Tensor:
    """A constant's values, read from where they lie in the file of weights."""
    dtype = np.dtype(TYPES[attributes["element_type"]])
    shape = [int(n) for n in attributes["shape"].split(",") if n.strip()]
    count = int(attributes["size"]) // dtype.itemsize
    values = np.frombuffer(blob, dtype, count, int(attributes["offset"]))
    return torch.from_numpy(values.copy().reshape(shape))


# ---- the layers ----------------------------------------------------------------------------------
def plain(attributes: Attributes) -> tuple[list[int], list[int]]:
    """Strides and padding of a convolution; what is not done here is an error."""
    begin, end = numbers(attributes["pads_begin"]), numbers(attributes["pads_end"])
    dilated = set(numbers(attributes["dilations"])) != {1}
    more = set(numbers(attributes.get("output_padding", "0"))) != {0}
    if begin != end or dilated or more or attributes["auto_pad"] != "explicit":
        raise NotImplementedError(f"a convolution with {attributes}")
    return numbers(attributes["strides"]), begin


def numbers(text: str) -> list[int]:
    return [int(n) for n in text.split(",")]


def convolution(a: Attributes, x: Tensor, w: Tensor) -> Tensor:
    strides, padding = plain(a)
    return F.conv2d(x, w, None, strides, padding)


def grouped(a: Attributes, x: Tensor, w: Tensor) -> Tensor:
    """w is (groups, out, in, kh, kw)."""
    strides, padding = plain(a)
    return F.conv2d(x, w.flatten(0, 1), None, strides, padding, groups=len(w))


def spread(a: Attributes, x: Tensor, w: Tensor) -> Tensor:
    """A transposed convolution of groups: w is (groups, in, out, kh, kw)."""
    strides, padding = plain(a)
    return F.conv_transpose2d(x, w.flatten(0, 1), None, strides, padding, groups=len(w))


def leaky(a: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return F.prelu(x, slope.reshape(-1))


def product(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    x = x.mT if a["transpose_a"] == "true" else x
    y = y.mT if a["transpose_b"] == "true" else y
    return x @ y


def mean(a: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.mean(axes.reshape(-1).tolist(), keepdim=a["keep_dims"] == "true")


def reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    target = shape.tolist()
    if a["special_zero"] == "true":  # 0 keeps a side
        target = [x.shape[k] if n == 0 else n for k, n in enumerate(target)]
    return x.reshape(target)


def squeeze(a: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.squeeze(tuple(axes.reshape(-1).tolist()))


def unsqueeze(a: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.ndim + axes.numel()
    for axis in sorted(n % rank for n in axes.reshape(-1).tolist()):
        x = x.unsqueeze(axis)
    return x


def split(a: Attributes, x: Tensor, axis: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
    return x.split(lengths.tolist(), int(axis))


def shape_of(a: Attributes, x: Tensor) -> Tensor:
    """Stays on the CPU, so that no layer waits for the device."""
    return torch.tensor(x.shape)


def gather(a: Attributes, x: Tensor, index: Tensor, axis: Tensor) -> Tensor:
    if a["batch_dims"] != "0" or x.ndim != 1 or int(axis) != 0:
        raise NotImplementedError(f"Gather from {tuple(x.shape)} with {a}")
    return x[index.long()]


def broadcast(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    if a["mode"] == "bidirectional":
        return x.expand(torch.broadcast_shapes(x.shape, shape.tolist()))
    if a["mode"] != "numpy":
        raise NotImplementedError(f"Broadcast with {a}")
    return x.expand(shape.tolist())


LAYERS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "Add": lambda a, x, y: x + y,
    "Multiply": lambda a, x, y: x * y,
    "Power": lambda a, x, y: x**y,
    "Tile": lambda a, x, repeats: x.repeat(repeats.tolist()),
    "Concat": lambda a, *parts: torch.cat(parts, int(a["axis"])),
    "MatMul": product,
    "ReduceMean": mean,
    "PReLU": leaky,
    "Convolution": convolution,
    "GroupConvolution": grouped,
    "GroupConvolutionBackpropData": spread,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "VariadicSplit": split,
    "ShapeOf": shape_of,
    "Gather": gather,
    "Broadcast": broadcast,
}


class Network:
    """One network of an IR, for batches: whole numbers (shapes) stay on the CPU."""

    def __init__(self, xml: Path, device: torch.device) -> None:
        layers, constants = parse(xml)
        (self.input,) = [(layer.id, 0) for layer in layers if layer.kind == "Parameter"]
        (self.result,) = [layer.inputs[0] for layer in layers if layer.kind == "Result"]
        self.layers = [layer for layer in layers if layer.kind not in ("Parameter", "Result")]
        unknown = {layer.kind for layer in self.layers} - set(LAYERS)
        if unknown:
            raise NotImplementedError(f"layers not known here: {', '.join(sorted(unknown))}")
        self.constants = {}
        for place, values in constants.items():
            self.constants[place] = values.to(device) if values.is_floating_point() else values

        # After its last reader a value is let go, or a batch would hold every layer's result.
        last = {place: n for n, layer in enumerate(self.layers) for place in layer.inputs}
        last.pop(self.result, None)
        self.finished: list[list[Place]] = [[] for _ in self.layers]
        for place, n in last.items():
            self.finished[n].append(place)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        values = {**self.constants, self.input: x}
        for layer, finished in zip(self.layers, self.finished):
            inputs = [values[place] for place in layer.inputs]
            made = LAYERS[layer.kind](layer.attributes, *inputs)
            for k, out in enumerate(made if isinstance(made, tuple) else (made,)):
                values[layer.id, k] = out
            for place in finished:
                del values[place]
        return values[self.result]


# ---- faces ---------------------------------------------------------------------------------------
class Generator:
    """Faces by number as uint8 (N, 1024, 1024, 3), style = mean + a (mapping(z) - mean)."""

    def __init__(self, files: Path, device: torch.device) -> None:
        self.device = device
        self.mapping = Network(files / "MappingNetwork.xml", device)
        self.synthesis = Network(files / "SynthesisNetwork.xml", device)
        z = torch.from_numpy(many_z()).to(device)
        styles = [self.mapping(part).reshape(len(part), -1) for part in z.split(512)]
        self.mean = torch.cat(styles).mean(0, keepdim=True)

    def faces(self, indices: list[int]) -> np.ndarray:
        z, a = zip(*(drawn(i) for i in indices))
        styles = self.mapping(torch.from_numpy(np.concatenate(z)).to(self.device))
        far = torch.from_numpy(np.array(a)[:, None]).to(self.device)
        x = self.synthesis(self.mean + far * (styles.reshape(len(indices), -1) - self.mean))
        levels = ((x.clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).cpu().numpy()


def save(face: np.ndarray, path: Path) -> None:
    write(Image.fromarray(face), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=5000)
    parser.add_argument("--count", type=int, default=30000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=32, help="faces at a time (default 32)")
    parser.add_argument("--workers", type=int, help="processes that write JPEGs; all cores if none")
    parser.add_argument("--check", type=Path, metavar="DIR", help="compare with DIR/iiiii.jpg")
    args = parser.parse_args()
    if args.check and not args.check.is_dir():
        parser.error(f"--check: no such folder: {args.check}")
    # TF32 keeps ten bits of each product: other faces, not faster ones of the same.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    args.out.mkdir(parents=True, exist_ok=True)
    generator = Generator(network_files(), torch.device(args.device))
    numbers_of = range(args.first, args.first + args.count)
    # New processes, not forks: a fork would take the device's state along.
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        written: Iterator[None] = iter(())
        for start in range(0, args.count, args.batch):
            batch = list(numbers_of[start : start + args.batch])
            paths = [args.out / f"{i:05d}.jpg" for i in batch]
            made = generator.faces(batch)
            list(written)  # the batch before: its files are written while this one is made
            written = pool.map(save, made, paths)
        list(written)
    for i in numbers_of if args.check else ():
        name = f"{i:05d}.jpg"
        largest, psnr = agreement(args.out / name, args.check / name)
        print(f"{name}  largest difference {largest}  PSNR {psnr:.1f} dB")


if __name__ == "__main__":
    main()
