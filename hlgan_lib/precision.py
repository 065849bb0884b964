"""Mixed precision and memory layout: what a device can use, and whether it pays there.

In mixed precision the convolutions and matrix products compute in 16 bits, by autocast. The weights
themselves, spectral norm, losses, R1 and the cameras stay in float32.
"""

from __future__ import annotations

import statistics
import time
from functools import cache

import torch
from torch import nn

# What `RunConfig.amp` means to autocast. `training.train` settles "auto" before it makes a loop;
# a loop made by hand counts it as "off".
AMP = {"auto": None, "off": None, "bf16": torch.bfloat16, "fp16": torch.float16}

# Another precision or layout is chosen where a probe takes less than this share of the time: a
# smaller gain is within what a busy machine makes up.
PAYS = 0.85
# On a CPU a probe of a few pictures tells as much as one of a batch, and takes less than a second.
CPU_PICTURES = 4
WIDE = 96  # channels; below it the layouts differ by less than PAYS on every CPU seen

NCHW = torch.contiguous_format
Layer = tuple[int, int]  # a 3x3 convolution that keeps its channels: channels, side in pixels


def native_half(device: torch.device) -> str:
    """The half precision that the device could compute in: bf16, or fp16 on an older GPU.

    A CUDA device below compute capability 8 (a T4, a V100) emulates bf16.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return "fp16"
    return "bf16"


def what_pays(device: torch.device, layers: tuple[Layer, ...], batch: int) -> str:
    """The precision to train in on this device: that of `native_half` where it is faster, or off.

    Measured on convolutions of the sizes in use, forward and backward, once a process.

    Args:
        device: where to train.
        layers: the convolutions that the time goes into.
        batch: images a batch.

    Returns:
        "off", "bf16" or "fp16".
    """
    return _probe(device, layers, min(batch, CPU_PICTURES) if device.type == "cpu" else batch)


def channels_last_pays(device: torch.device, layers: tuple[Layer, ...], amp: str = "off") -> bool:
    """Whether the layout channels_last is no slower than NCHW.

    It is, but for wide convolutions in float32 on some CPUs: their forward pass gains by it, and
    their gradients lose more (docs/speed.md). Those are measured, once a process.

    Args:
        device: where to train.
        layers: the convolutions that the time goes into.
        amp: the precision to train in.

    Returns:
        False where NCHW is clearly faster.
    """
    wide = tuple(layer for layer in layers if layer[0] >= WIDE)
    if device.type != "cpu" or AMP[amp] or not wide:
        return True
    return _layout_probe(device, wide)


@cache
def _probe(device: torch.device, layers: tuple[Layer, ...], n: int) -> str:
    half = native_half(device)
    times: dict[str, list[float]] = {"off": [], half: []}
    for i in range(4):
        for amp, taken in times.items():
            taken.append(_seconds(device, layers, n, amp))
        # What is emulated takes many times as long: the first round, a warm-up, says enough.
        if i == 0 and times[half][0] > 2 * times["off"][0]:
            return "off"
    off, mixed = (statistics.median(taken[1:]) for taken in times.values())
    return half if mixed < PAYS * off else "off"


@cache
def _layout_probe(device: torch.device, layers: tuple[Layer, ...]) -> bool:
    times: dict[torch.memory_format, list[float]] = {torch.channels_last: [], NCHW: []}
    for _ in range(3):
        for layout, taken in times.items():
            taken.append(_seconds(device, layers, 1, "off", layout))  # one picture tells enough
    last, first = (statistics.median(taken[1:]) for taken in times.values())
    return first > PAYS * last


def _seconds(
    device: torch.device,
    layers: tuple[Layer, ...],
    n: int,
    amp: str,
    layout: torch.memory_format = torch.channels_last,
) -> float:
    """Time of the layers in that precision and layout, forward and backward."""
    dtype = AMP[amp]
    rng = torch.Generator(device).manual_seed(0)
    passes = []
    for channels, side in layers:
        conv = nn.utils.skip_init(nn.Conv2d, channels, channels, 3, padding=1, device=device)
        nn.init.normal_(conv.weight, std=0.01, generator=rng)
        nn.init.zeros_(conv.bias)
        conv.to(memory_format=layout)
        x = torch.randn(n, channels, side, side, generator=rng, device=device)
        passes.append((conv, x.to(memory_format=layout)))
    _wait(device)
    began = time.perf_counter()
    for conv, x in passes:
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            y = conv(conv(x))
        y.float().sum().backward()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
