"""A trained network as an ONNX file, for machines without PyTorch: a browser, a phone, a server.

Needs the extra `[onnx]`. What was written is run by ONNX Runtime and held against PyTorch.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .errors import HLError
from .files import atomic, user_path
from .inference import NETWORKS, Weights, load_weights
from .networks.camera import LearnedCamera
from .networks.flow import FlowLowToHigh

BATCHES = (1, 7, 32)  # that the file is checked at: the batch must not be fixed in it
APART = 1e-4  # how far the two may be apart, in [-1, 1]
# Of a camera's values, which are rounded to bytes: so many may fall on the other side of an edge.
ROUNDED = 0.005
TIMED_S = 1.0  # after this no further call is timed


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was checked.

    Attributes:
        path: the file.
        inputs: names of its inputs; the output is "hi" or "lo".
        apart: the largest difference to PyTorch over all checked batches, images in [-1, 1]; of a
            camera, the largest of all but the share ROUNDED of its values.
        ms: batch -> milliseconds of PyTorch and of ONNX Runtime, the least of a few calls.
    """

    path: Path
    inputs: tuple[str, ...]
    apart: float
    ms: dict[int, tuple[float, float]]


def export(weights: Weights, out: str | Path) -> Exported:
    """Write a network as ONNX with any number of images in a batch, and check it.

    A network that restores maps "lo" to "hi", H2L maps "hi" and "z" to "lo"; float32, images in
    [-1, 1].

    Args:
        weights: as in `load_weights`.
        out: the file, .onnx.

    Returns:
        What was written, and how near it comes.

    Raises:
        HLError: where a package is missing or too old, the file's name does not end in .onnx, or
            ONNX Runtime computes something else.
    """
    path = user_path(out)
    if path.suffix != ".onnx":
        raise HLError(f"--out must end in .onnx, got {path}: give a file")
    net = load_weights(weights).cpu()
    if isinstance(net, FlowLowToHigh):
        raise HLError(
            f"weights {weights} are of a flow, whose walk from noise is not exported: give weights "
            "of an L2H"
        )
    runtime = _packages()
    made = _inputs(net, 2)
    result = "lo" if "z" in made else "hi"
    with torch.no_grad():
        net(*made.values())  # tables that are made at the first call are made outside the export
    data = _onnx(net, made, result)

    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    differences, ms = [], {}
    for batch in BATCHES:
        x = _inputs(net, batch)
        fed = {name: value.numpy() for name, value in x.items()}
        with torch.no_grad():
            want = net(*x.values())
            mine = _ms(partial(net, *x.values()))
        (got,) = session.run([result], fed)
        differences.append((torch.from_numpy(got) - want).abs().flatten())
        ms[batch] = (mine, _ms(partial(session.run, [result], fed)))
    left_out = ROUNDED if isinstance(net, LearnedCamera) else 0.0
    apart = torch.cat(differences).quantile(1 - left_out).item()
    if not apart < APART:
        name = type(net).__name__ if isinstance(weights, nn.Module) else weights
        raise HLError(
            f"ONNX Runtime computes something else than PyTorch of {name}: images differ by up "
            f"to {apart:.2g}, expected less than {APART}: nothing was written"
        )
    atomic(path, lambda file: file.write(data))
    return Exported(path, tuple(made), apart, ms)


def _packages() -> Any:
    """ONNX Runtime, with what the export itself needs. Raises HLError where one is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise HLError(
            f"export needs the package {error.name}: pip install 'hlgan_lib[onnx]'"
        ) from error
    return onnxruntime


def _inputs(net: Any, batch: int) -> dict[str, Tensor]:
    """Made-up inputs of a network, by name."""
    rng = torch.Generator().manual_seed(batch)
    cfg = net.cfg
    if isinstance(net, NETWORKS["h2l"]):
        hi = 2 * torch.rand(batch, 3, cfg.size_hi, cfg.size_hi, generator=rng) - 1
        return {"hi": hi, "z": torch.randn(batch, cfg.z_dim, generator=rng)}
    return {"lo": 2 * torch.rand(batch, 3, cfg.size_lo, cfg.size_lo, generator=rng) - 1}


def _onnx(net: nn.Module, inputs: dict[str, Tensor], result: str) -> bytes:
    """The network as an ONNX model whose batch is free."""
    batch = torch.export.Dim("batch")
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's, about itself
            # Strict, so that len(x) stays a symbol too.
            graph = torch.export.export(
                net,
                tuple(inputs.values()),
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                strict=True,
            )
            program = torch.onnx.export(
                graph,
                input_names=list(inputs),
                output_names=[result],
                dynamo=True,
                verbose=False,
            )
    # Whatever exporters and converters of versions that do not fit each other meet first.
    except Exception as error:
        raise HLError(
            f"torch {torch.__version__} and this onnxscript cannot export {type(net).__name__} "
            f"({type(error).__name__}): pip install -U torch onnx onnxscript onnxruntime"
        ) from error
    finally:
        log.setLevel(before)
    assert program is not None
    return program.model_proto.SerializeToString()


def _ms(call: Callable[[], object]) -> float:
    """The least time of a few calls, milliseconds."""
    times: list[float] = []
    while sum(times) < TIMED_S and len(times) < 20:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)
