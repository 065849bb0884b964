"""LS3D-W: faces with 68 points, in files of torch 7 or of MATLAB beside the pictures."""

from __future__ import annotations

import io
import math
import struct
from pathlib import PurePosixPath

import numpy as np

from ...errors import HLError
from ..cropping import box_of_points
from ..plan import Card, Face, Job, Kind, Options, Plan
from ..trees import Tree

PICTURES = (".jpg", ".jpeg", ".png")
N_POINTS = 68
TORCH_OBJECT = 4  # torch 7's mark of a tensor or a storage
NUMBERS = {"Float": "<f4", "Double": "<f8", "Int": "<i4", "Long": "<i8", "Short": "<i2"}

CARD = Card(
    title="LS3D-W, about 230,000 faces with 68 three-dimensional landmarks",
    origin="Bulat, Tzimiropoulos, *How far are we from solving the 2D & 3D Face Alignment "
    "problem?*, ICCV 2017 (University of Nottingham); made of 300-W, 300-VW, AFLW2000-3D, Menpo.",
    licence="Its owners: non-commercial research, after an agreement; each part keeps its own "
    "terms.",
    sharing="Nothing.",
    getting="By request to the owners, who send a password for the archive.",
    layout="folders such as `300W-Testset-3D`, `300VW-3D/CatA/...`, `AFLW2000-3D-Reannotated`, "
    "`Menpo-3D`: pictures, each with a `.t7` or `.mat` of its 68 points beside it.",
    pitfalls="`.mat` needs SciPy (`pip install scipy`), `.t7` nothing. Pictures without points are "
    "skipped and counted. 300-VW is video: neighbouring frames are nearly the same face, which "
    "`hlgan audit` shows.",
)


def plan(tree: Tree, options: Options) -> Plan:
    """Every picture that has points beside it."""
    made = Plan()
    present = set(tree.files)
    n_alone = 0
    for file in tree.files:
        if not file.lower().endswith(PICTURES):
            continue
        stem = file.rpartition(".")[0]
        beside = [stem + end for end in (".t7", ".mat") if stem + end in present]
        n_alone += not beside
        if not beside:
            continue
        try:
            points = points_of(tree.read(beside[0]), beside[0])
            made.jobs.append(Job(file, (Face(file, box_of_points(points)),)))
        except HLError as error:
            made.skipped.append((file, str(error)))
    if not made.jobs and not made.skipped:
        raise HLError(f"{tree.root} must hold pictures with .t7 or .mat beside them, got none")
    if n_alone:
        made.notes.append(f"{n_alone:,} pictures have no .t7 or .mat beside them: left out")
    return made


def points_of(content: bytes, name: str) -> np.ndarray:
    """The 68 points of a file, (68, 2), pixels. Raises HLError for other contents."""
    read = points_of_t7 if PurePosixPath(name).suffix == ".t7" else points_of_mat
    try:
        points = read(content)
    except HLError:
        raise
    except Exception as error:  # hostile bytes: struct, NumPy and SciPy raise anything
        raise HLError(f"{name} cannot be read: {type(error).__name__}") from error
    if points.shape[:1] != (N_POINTS,) and points.shape[1:] == (N_POINTS,):
        points = points.T
    if points.ndim != 2 or points.shape[0] != N_POINTS or points.shape[1] not in (2, 3):
        raise HLError(f"{name} must hold 68 points, got {points.shape}")
    if not np.isfinite(points).all():
        raise HLError(f"{name} must hold finite points")
    return points[:, :2].astype(float)


def points_of_t7(content: bytes) -> np.ndarray:
    """The tensor of a torch 7 file in binary form."""
    file = io.BytesIO(content)

    def number(form: str) -> int:
        return struct.unpack(f"<{form}", file.read(struct.calcsize(form)))[0]

    def text() -> str:
        return file.read(min(max(number("i"), 0), 64)).decode("ascii")

    def class_name() -> str:
        """The head of an object: its mark, its number, its version, its class."""
        if number("i") != TORCH_OBJECT:
            raise HLError("the .t7 must hold a tensor")
        number("i")
        first = text()
        return text() if first.startswith("V ") else first

    kind = class_name()
    n_dims = number("i")
    if not kind.endswith("Tensor") or not 1 <= n_dims <= 3:
        raise HLError(f"the .t7 must hold a matrix, got {kind!r} of {n_dims} dimensions")
    shape = [number("q") for _ in range(n_dims)]
    strides = [number("q") for _ in range(n_dims)]
    start = number("q") - 1
    storage = class_name().removeprefix("torch.").removesuffix("Storage")
    n = number("q")
    if storage not in NUMBERS or not 0 < n <= len(content):
        raise HLError(f"the .t7 must hold numbers, got {storage!r}")
    values = np.frombuffer(file.read(n * np.dtype(NUMBERS[storage]).itemsize), NUMBERS[storage])
    if min(shape) < 1 or math.prod(shape) > len(values):
        raise HLError("the .t7 is cut")
    places = np.indices(shape).reshape(n_dims, -1)
    return values[start + np.array(strides) @ places].reshape(shape)


def points_of_mat(content: bytes) -> np.ndarray:
    """The first array of a MATLAB file that has 68 points."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise HLError(".mat files need SciPy: pip install scipy") from error
    for key, value in loadmat(io.BytesIO(content)).items():
        if key.startswith("__") or not isinstance(value, np.ndarray) or value.ndim != 2:
            continue
        if N_POINTS in value.shape and {2, 3} & set(value.shape):
            return value.astype(float)
    raise HLError("the .mat must hold 68 points")


LS3DW = Kind(CARD, plan)
