"""Several processes that train one network: gradients are averaged, files are the first one's.

`torchrun --nproc-per-node=N -m hlgan_lib train ...` starts N processes, one a GPU. Each takes an
equal share of every batch, computes its own gradients, and takes the step of their mean: so all
have the same weights at all times. A process alone is the case N = 1, in which nothing here acts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .errors import HLError

T = TypeVar("T")

# How long to wait for the others. One that is killed closes its connections, which is noticed at
# once; a machine that vanishes is not.
PATIENCE = timedelta(seconds=60)
SEED_STRIDE = 1_000_003  # between the random streams of two processes


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Which of them this is; the first is 0."""
    return dist.get_rank() if _together() else 0


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


# ---- begin and end -------------------------------------------------------------------------------
@contextmanager
def together(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, where it did; alone nothing happens.

    Args:
        device: as `pick_device` gives it; "cuda" becomes this process's own GPU.

    Yields:
        The device to train on.

    Raises:
        HLError: where the others do not come.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) < 2 or _together():
        yield device
        return
    on_cuda = device.startswith("cuda")
    if on_cuda:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    with _others_may_end():
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo", timeout=PATIENCE)
    said = sys.stdout
    try:
        with open(os.devnull, "w") as nowhere:
            sys.stdout = said if rank() == 0 else nowhere
            yield device
    finally:
        sys.stdout = said
        dist.destroy_process_group()


@contextmanager
def _others_may_end() -> Iterator[None]:
    """Say it in one line where another process is gone."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise HLError(
            f"another process of this training ended or does not answer ({lines[0][:120]}): "
            "look for its message, then give the same command with --resume, with any number of "
            "processes"
        ) from error


# ---- agreement -----------------------------------------------------------------------------------
def on_first(work: Callable[[], T]) -> T:
    """What `work` returns in the first process, for all of them; where it is refused, all end.

    Raises:
        HLError: as `work` does, in the first process; the others end in silence.
    """
    if size() == 1:
        return work()
    outcome: list[Any] = [None, None]
    refusal: HLError | None = None
    if rank() == 0:
        try:
            outcome[0] = work()
        except HLError as error:
            refusal = error
            outcome[1] = str(error)
    with _others_may_end():
        dist.broadcast_object_list(outcome)
    if refusal:
        raise refusal
    if outcome[1] is not None:
        raise SystemExit(2)
    return outcome[0]


def any_of(flag: bool) -> bool:
    """Is the flag set in any of the processes? It waits for them, not for a device."""
    if size() == 1:
        return flag
    told = torch.tensor(float(flag))
    with _others_may_end():
        dist.all_reduce(told, dist.ReduceOp.MAX)
    return bool(told)


# ---- shares --------------------------------------------------------------------------------------
def share_of(batch: int) -> int:
    """This process's part of a batch.

    Raises:
        HLError: where it cannot be shared out equally.
    """
    if batch % size() or batch // size() < 2:
        raise HLError(
            f"--batch must be a multiple of the {size()} processes, with at least 2 images for "
            f"each, got {batch}: try {2 * size() * max(1, batch // (2 * size()))}"
        )
    return batch // size()


def own_seed(seed: int) -> int:
    """A seed for this process's draws: other images and noise in each."""
    return seed + SEED_STRIDE * rank()


# ---- one network ---------------------------------------------------------------------------------
@torch.no_grad()
def same_weights(net: nn.Module) -> None:
    """Give every process the weights and buffers of the first."""
    if size() == 1:
        return
    with _others_may_end():
        for tensor in net.state_dict().values():
            whole = tensor.contiguous()
            dist.broadcast(whole, 0)
            tensor.copy_(whole)


@torch.no_grad()
def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over the processes: one message for all of them."""
    if size() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = mean(torch.cat([grad.reshape(-1) for grad in grads]))
    parts = flat.split([grad.numel() for grad in grads])
    torch._foreach_copy_(grads, [part.view(g.shape) for part, g in zip(parts, grads, strict=True)])


def mean(x: Tensor) -> Tensor:
    """The mean of x over the processes."""
    if size() == 1:
        return x
    with _others_may_end():
        dist.all_reduce(x)
    return x / size()


def share_batch_norm(net: nn.Module) -> None:
    """Let batch norm see the whole batch: its layers become `SharedBatchNorm`, with their state."""
    if size() == 1:
        return
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the parts of a batch that lie in several processes.

    As torch.nn.SyncBatchNorm, which no CPU has.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            whole = x.float()
            m = _MeanOfAll.apply(whole.mean((0, 2, 3)))[:, None, None]
            variance = _MeanOfAll.apply((whole - m).square().mean((0, 2, 3)))
            y = (whole - m) * (variance[:, None, None] + self.eps).rsqrt()
            y = y * self.weight[:, None, None] + self.bias[:, None, None]
            self._follow(m.detach().flatten(), variance.detach(), size() * x.numel() // x.shape[1])
        return y.to(x.dtype)

    @torch.no_grad()
    def _follow(self, m: Tensor, variance: Tensor, n: int) -> None:
        """Running statistics, as torch's own: unbiased variance, momentum None a plain average."""
        seen = self.num_batches_tracked
        running_mean, running_var = self.running_mean, self.running_var
        assert seen is not None and running_mean is not None and running_var is not None
        seen.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(seen)
        running_mean.lerp_(m, share)
        running_var.lerp_(variance * n / (n - 1), share)


class _MeanOfAll(torch.autograd.Function):
    """The mean over the processes; the gradient is that of their mean loss."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return mean(x.contiguous().clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return mean(grad.contiguous().clone())
