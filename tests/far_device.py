"""Run a notebook's cells on a device in name only: numbers on the CPU, manners of a GPU.

    python tests/far_device.py NOTEBOOK        in an empty folder; prints the cells that fail

A GPU has faults that a CPU forgives: tensors of two devices in one operation, a generator of
another device, `.numpy()` of a tensor that lies elsewhere. Here they raise too. Nothing is said of
speed, memory or the numbers of a real card. In a process of its own, as torch keeps the device.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as tree
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

NAME = "far"
CPU = torch.device("cpu")
DRAWN = "rand rand_like randn randn_like randint randperm normal_ uniform_ bernoulli multinomial"
# These take tensors of both devices: copies, and indices, which may lie on the CPU.
MIXED = ("aten._to_copy", "aten.copy_", "aten.index.", "aten.index_put", "aten._index_put")


class Backend(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.float16, torch.bfloat16]

    def manual_seed_all(self, seed):
        pass

    def _is_in_bad_fork(self):
        return False


backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())
FAR = torch.device(NAME, 0)


class Far(torch.Tensor):
    """A tensor that says it lies on the far device."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=FAR,
        )

    def __init__(self, held):
        self.held = held

    def __repr__(self, **_):
        return f"{self.held!r} on {FAR}"

    def __format__(self, spec):
        return format(self.held.detach(), spec)

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


def is_far(device) -> bool:
    return device is not None and torch.device(device).type == NAME


def computed(func, args, kwargs):
    """An operation on what the tensors hold, its result on the device where it belongs."""
    name = str(func)
    tensors = [x for x in tree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    far = any(isinstance(x, Far) for x in tensors)
    near = any(x.dim() for x in tensors if not isinstance(x, Far))  # numbers may lie anywhere
    if far and near and not name.startswith(MIXED):
        raise RuntimeError(f"tensors on {FAR} and on cpu in one operation: {name}")
    device = kwargs.get("device")
    held = tree.tree_map(lambda x: x.held if isinstance(x, Far) else x, (args, kwargs))
    if device is not None:
        held[1]["device"] = CPU if is_far(device) else device
    result = func(*held[0], **held[1])
    if not (is_far(device) if device is not None else far):
        return result.clone() if far and any(result is x for x in held[0]) else result
    if any(result is x for x in held[0]) and not far:
        result = result.clone()  # a copy to another device is one
    result = tree.tree_map(lambda x: Far(x) if isinstance(x, torch.Tensor) else x, result)
    return return_and_correct_aliasing(func, args, kwargs, result) if far else result


class Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if kwargs and is_far(kwargs.get("device")):
            return computed(func, args, kwargs)
        return func(*args, **(kwargs or {}))  # of a far tensor: its own __torch_dispatch__


class Generator(torch.Generator):
    """A generator that remembers its device."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu")

    def __init__(self, device="cpu"):
        self._device = FAR if is_far(device) else CPU

    @property
    def device(self):
        return self._device

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self


class Functions(TorchFunctionMode):
    """What is no operation of torch's dispatcher, or is refused before it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name, first = getattr(func, "__name__", ""), args[0] if args else None
        if name in DRAWN.split() and kwargs.get("generator") is not None:
            place = kwargs.get("device") or getattr(first, "device", CPU)
            asked, got = torch.device(place).type, kwargs["generator"].device.type
            if asked not in (got, "meta"):
                raise RuntimeError(f"{name} on {asked} takes a generator of {asked}, not of {got}")
        if name == "numpy" and isinstance(first, Far):
            raise TypeError(f"a tensor on {FAR} has no numpy(): copy it to the CPU first")
        if name in ("tensor", "as_tensor") and is_far(kwargs.get("device")):
            held = first.held if isinstance(first, Far) else first
            return func(held, *args[1:], **{**kwargs, "device": CPU}).to(FAR)
        if name == "new_tensor" and isinstance(first, Far):
            return torch.tensor(args[1], dtype=kwargs.get("dtype") or first.dtype).to(FAR)
        if name == "__getitem__" and isinstance(first, Far):
            to_far = lambda i: torch.tensor(i).to(FAR) if isinstance(i, list) else i  # noqa: E731
            index = args[1]
            whole = isinstance(index, tuple)
            return func(first, tuple(map(to_far, index)) if whole else to_far(index))
        return func(*args, **kwargs)


def on_cpu(x):
    return x.detach().cpu() if isinstance(x, Far) else x


def far_device() -> ExitStack:
    """Within, the far device is there, and the library and its notebooks take it."""
    import hlgan_lib.notebook
    from hlgan_lib import runtime

    pick, save, setup = runtime.pick_device, torch.save, hlgan_lib.notebook.setup

    def picked(name):
        return str(FAR) if name is None else str(name)

    def saved(x, *to, **how):
        save(tree.tree_map(on_cpu, x), *to, **how)

    def set_up(*how, **more):
        return replace(setup(*how, **more), device=FAR)

    stack = ExitStack()
    for module in list(sys.modules.values()):
        if getattr(module, "pick_device", None) is pick:
            stack.enter_context(patch.object(module, "pick_device", picked))
    stack.enter_context(patch.object(torch, "Generator", Generator))
    stack.enter_context(patch.object(torch, "save", saved))
    stack.enter_context(patch.object(hlgan_lib.notebook, "setup", set_up))
    stack.enter_context(Operations())
    stack.enter_context(Functions())
    return stack


def failing_cells(notebook: Path) -> list[str]:
    """Of each cell that raises: its number, the error and where it was raised."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    cells = [
        c for c in json.loads(notebook.read_text("utf-8"))["cells"] if c["cell_type"] == "code"
    ]
    found = []
    with far_device():
        for number, cell in enumerate(cells, 1):
            with redirect_stdout(StringIO()):
                ran = shell.run_cell("".join(cell["source"]))
            if error := ran.error_before_exec or ran.error_in_exec:
                last = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(last.filename).name}:{last.lineno}"
                found.append(f"code cell {number}: {type(error).__name__}: {error} ({place})")
    return found


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("agg")
    failures = failing_cells(Path(sys.argv[1]))
    print(*failures, sep="\n")
    sys.exit(bool(failures))
