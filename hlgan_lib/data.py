"""Faces as arrays: shipped ones, folders of pictures, .npz files; and batches of them on the device."""

from __future__ import annotations

import json
import logging
import os
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from .degrade import Dice
from .errors import HLError
from .pictures import fit, read_image, reason

log = logging.getLogger("hlgan")

SHIPPED = Path(__file__).parent / "faces"
BUILT_IN = ("faces:train-hi", "faces:train-lo", "faces:val", "faces:test")
SIZES = {"hi": 64, "lo": 16}               # the paper's two sizes
MAX_SHRINK = 1.5                           # a lo reduced by more has lost what H2L should learn


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Square pictures in memory or mapped from a file: images uint8 (N, 3, H, W), a name each, their source.

    skipped holds (file name, reason) of what could not be used. faces[3] is an array (3, H, W); faces[:9] a FaceSet.
    """

    images: np.ndarray
    names: tuple[str, ...]
    source: str
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.dtype != np.uint8 or len(shape) != 4 or shape[1] != 3 or len(self.names) != shape[0]:
            raise HLError(f"images of {self.source} must be uint8 (N, 3, H, W) with N names, got "
                          f"{self.images.dtype} {shape} and {len(self.names)} names: save them with FaceSet.save")
        if self.images.flags.writeable:
            self.images.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | np.ndarray | list) -> np.ndarray | FaceSet:
        if isinstance(index, (int, np.integer)):
            return self.images[index]
        chosen = np.arange(len(self))[index]
        return FaceSet(self.images[index], tuple(self.names[i] for i in chosen), self.source)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.shape[2], self.images.shape[3]

    def batch(self, index: slice | np.ndarray | list = slice(None), device: torch.device | str = "cpu") -> Tensor:
        """The chosen pictures as float (B, 3, H, W) in [-1, 1] on the device."""
        return to_float(torch.from_numpy(np.array(self.images[index])).to(device))

    def save(self, path: str | Path) -> Path:
        """Write an .npz that load_faces maps into memory, replacing it in one step; HLError where it cannot."""
        path = Path(path)
        if path.suffix != ".npz":
            raise HLError(f"a FaceSet file must end in .npz, got {path}")
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                np.savez(file, images=self.images, names=np.array(self.names, dtype=np.str_))
            os.replace(part, path)
        except OSError as error:
            raise HLError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        return path


class Pairs(NamedTuple):
    """Sharp faces and their poor shots: hi[i] and lo[i] show the same face in the same framing."""

    hi: FaceSet
    lo: FaceSet


def to_float(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 in [-1, 1]: v / 127.5 - 1."""
    return images.to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] (clipped) to uint8: round((x + 1) 127.5)."""
    return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


# ---- sets -------------------------------------------------------------------------------------------------------
def load_faces(source: str | Path, size: int | None = None, *, role: str | None = None,
               minimum: int = 2) -> FaceSet | Pairs:
    """Faces from a built-in name, a folder of pictures (read recursively), a picture or an .npz file.

    source: "faces:train-hi", "faces:train-lo", "faces:val", "faces:test"; the last two hold Pairs, of which ":hi" or
    ":lo" behind the name, or role, picks a side. size: side in pixels; by default 64 for role "hi", 16 for "lo", else
    the pictures' own. Larger pictures are centre-cropped and reduced; role "lo" warns (UserWarning) where by more than
    1.5. Smaller, unreadable and huge ones are skipped, counted and logged. Raises HLError for a wrong path, name or
    size, and where fewer than `minimum` pictures are left. Source: ours.
    """
    if role not in (None, "hi", "lo"):
        raise HLError(f"role must be 'hi' or 'lo', got {role!r}")
    if size is not None and size < 1:
        raise HLError(f"size must be at least 1 pixel, got {size}")
    name, path = str(source), Path(source).expanduser()
    if name.startswith("faces:"):
        faces = _built_in(name, role)
        if isinstance(faces, Pairs):
            if size is not None:
                raise HLError(f"{name} holds pairs of two sizes, got size={size}: ask for {name}:hi or {name}:lo")
            return faces
        return _refit(faces, size, role)
    size = size or SIZES.get(role)
    if path.suffix == ".npz" and path.is_file():
        faces = _refit(_load_npz(path), size, role)
    elif path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        faces = _read(files, path, size, role, minimum)
    elif path.is_file():
        faces = _read([path], path.parent, size, role, minimum)
    else:
        raise HLError(f"no such folder or file: {name}: give a folder of pictures, an .npz file, or one of "
                      f"{', '.join(BUILT_IN)}")
    _at_least(len(faces), minimum, name, faces.skipped)
    return faces


def _at_least(n: int, minimum: int, source: str, skipped: tuple | list) -> None:
    if n < minimum:
        why = f" ({len(skipped)} skipped, the first: {skipped[0][0]}, {skipped[0][1]})" if skipped else ""
        raise HLError(f"{source} must hold at least {minimum} usable pictures, got {n}{why}: "
                      "give a folder with more pictures")


def _read(files: list[Path], root: Path, size: int | None, role: str | None, minimum: int) -> FaceSet:
    """The files as one set; what does not fit is skipped by name."""
    images, names, skipped, shrunk = np.empty((0, 3, 0, 0), np.uint8), [], [], 0
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            image = read_image(file, 4 * size if size else None)
            goal = size or (images.shape[3] if names else min(image.size))
            if size is None and image.size != (goal, goal):
                raise HLError(f"pictures of {root} must be square and of one size where none is asked for, got "
                              f"{name} of {image.width}x{image.height}: give size (64 for hi, 16 for lo)")
            tile = np.asarray(fit(image, goal)).transpose(2, 0, 1)
        except HLError as error:
            if size is None and "of one size" in str(error):
                raise
            skipped.append((name, str(error)))
            log.info("skipped %s: %s", name, error)
            continue
        shrunk += min(image.size) > MAX_SHRINK * goal
        if not names:
            images = np.empty((len(files), 3, goal, goal), np.uint8)
        images[len(names)] = tile
        names.append(name)
    if skipped:
        some = ", ".join(name for name, _ in skipped[:5]) + (" ..." if len(skipped) > 5 else "")
        log.warning("skipped %d of %d files of %s: %s", len(skipped), len(files), root, some)
    _at_least(len(names), minimum, str(root), skipped)
    _warn_shrunk(shrunk if role == "lo" else 0, size)
    return FaceSet(images[:len(names)], tuple(names), str(root), tuple(skipped))


def _warn_shrunk(n: int, size: int | None) -> None:
    if n:
        warnings.warn(f"{n} lo pictures shrink by more than {MAX_SHRINK} to {size}x{size}: this wipes out the noise "
                      "and blur that H2L should learn; give pictures of about that size", UserWarning, stacklevel=4)


def _refit(faces: FaceSet, size: int | None, role: str | None) -> FaceSet:
    """The same set at another size, by the rules of fit."""
    h, w = faces.size
    if size is None or (h, w) == (size, size):
        return faces
    if min(h, w) < size:
        raise HLError(f"{faces.source} must hold pictures of at least {size}x{size}, got {h}x{w}: "
                      "did you mix up hi and lo?")
    _warn_shrunk(len(faces) if role == "lo" and min(h, w) > MAX_SHRINK * size else 0, size)
    images = np.empty((len(faces), 3, size, size), np.uint8)
    for i, image in enumerate(faces.images):
        images[i] = np.asarray(fit(Image.fromarray(image.transpose(1, 2, 0)), size)).transpose(2, 0, 1)
    return FaceSet(images, faces.names, faces.source, faces.skipped)


def _load_npz(path: Path) -> FaceSet:
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = tuple(str(name) for name in file["names"])
            images = _mapped(path)
            images = file["images"] if images is None else images
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise HLError(f"{path} must be a FaceSet file with `images` and `names`, got: {reason(error)}: "
                      "make one with FaceSet.save or hlgan prepare") from error
    return FaceSet(images, names, str(path))


def _mapped(path: Path) -> np.ndarray | None:
    """`images` of an .npz mapped from the disk, or None where it is compressed."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            return None
    with open(path, "rb") as file:
        file.seek(info.header_offset + 26)                  # zip local header: 30 bytes, then its name and extra field
        lengths = np.frombuffer(file.read(4), "<u2")
        file.seek(info.header_offset + 30 + int(lengths.sum()))
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = header(file)
        if dtype != np.uint8 or fortran or 0 in shape:
            return None
        return np.memmap(path, dtype, "r", file.tell(), shape)


# ---- shipped faces ----------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _meta() -> dict:
    try:
        return json.loads((SHIPPED / "meta.json").read_text())
    except OSError as error:
        raise HLError(f"the shipped faces are missing from {SHIPPED}: install hlgan_lib again") from error


@lru_cache(maxsize=8)
def _shipped(split: str, side: str) -> FaceSet:
    """A mosaic cut into its tiles; shot k of person i is named iiiii-k where each has several."""
    meta, s = _meta()["splits"][split], SIZES[side]
    with Image.open(SHIPPED / meta[side]) as image:
        a = np.asarray(image.convert("RGB"))
    tiles = a.reshape(a.shape[0] // s, s, a.shape[1] // s, s, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, s, s)
    people = range(meta["first"], meta["first"] + meta["people"])
    names = [f"{i:05d}.png" if meta["shots"] == 1 else f"{i:05d}-{k}.png" for i in people for k in range(meta["shots"])]
    return FaceSet(np.ascontiguousarray(tiles), tuple(names), f"faces:{split}")


def _built_in(name: str, role: str | None) -> FaceSet | Pairs:
    split, _, side = name.removeprefix("faces:").partition(":")
    if f"faces:{split}" not in BUILT_IN or side not in ("", "hi", "lo"):
        raise HLError(f"built-in faces must be one of {', '.join(BUILT_IN)}, the last two with :hi or :lo "
                      f"where one side is asked for, got {name}")
    held = [s for s in ("hi", "lo") if s in _meta()["splits"][split]]
    for wanted in (side, role):
        if wanted and wanted not in held:
            raise HLError(f"faces:{split} holds {held[0]} pictures only, got a request for {wanted}: use "
                          f"faces:train-{wanted}")
    if side and role and side != role:
        raise HLError(f"{name} asks for {side} where {role} is needed: use faces:{split}:{role}")
    side = side or role or (held[0] if len(held) == 1 else "")
    return _shipped(split, side) if side else Pairs(_shipped(split, "hi"), _shipped(split, "lo"))


def load_camera_params(name: str) -> dict[str, np.ndarray]:
    """What the camera drew for each shot of "faces:val" or "faces:test": name -> (N, ...), see degrade.Camera.draw."""
    split = _meta()["splits"].get(name.removeprefix("faces:"), {})
    if "params" not in split:
        raise HLError(f"camera parameters are shipped for faces:val and faces:test, got {name}")
    with np.load(SHIPPED / split["params"], allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


# ---- batches on the device --------------------------------------------------------------------------------------
class Sampler:
    """Endless shuffled epochs of a set that lives on the device as uint8.

    Each picture comes once an epoch; a batch may hold the end of one epoch and the start of the next.
    """

    def __init__(self, faces: FaceSet, batch: int, device: torch.device | str, generator: torch.Generator) -> None:
        if batch < 1 or len(faces) < 1:
            raise HLError(f"Sampler needs a batch and a set of at least 1, got batch {batch} and {len(faces)} faces")
        self.images = torch.from_numpy(np.array(faces.images)).to(device)
        self.n_batch, self.generator = batch, generator
        self.order = torch.empty(0, dtype=torch.long)         # what is left of this epoch

    def next(self) -> Tensor:
        """The next batch as float (B, 3, H, W) in [-1, 1]."""
        while len(self.order) < self.n_batch:
            shuffled = torch.randperm(len(self.images), generator=self.generator, device=self.generator.device)
            self.order = torch.cat((self.order, shuffled.cpu()))
        chosen, self.order = self.order[:self.n_batch], self.order[self.n_batch:]
        return to_float(self.images[chosen.to(self.images.device)])

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.next()

    def state_dict(self) -> dict[str, Tensor]:
        """Position and generator, enough to go on exactly."""
        return {"order": self.order.clone(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.order = state["order"].clone().cpu()
        self.generator.set_state(state["generator"].cpu())


def augment(x: Tensor, generator: torch.Generator, *, flip: bool = True, scale: float = 0.0, rotate_deg: float = 0.0,
            shift: float = 0.0, colour: float = 0.0) -> Tensor:
    """Each picture flipped, scaled, turned, shifted and recoloured at random; what comes in from outside is mirrored.

    x (B, 3, H, W) in [-1, 1]; scale: factor 1 +- scale; rotate_deg: degrees; shift: share of the side; colour:
    brightness, contrast and saturation by factors 1 +- colour. For hi (a pair shares the transform);
    lo pictures are only flipped. Source: the kinds from memory of the paper, the ranges ours.
    """
    dice = Dice(len(x), generator, x.device)
    if flip:
        x = torch.where(dice.chance(0.5)[:, None, None, None], x.flip(-1), x)
    if scale or rotate_deg or shift:
        angle, zoom = dice.uniform(-rotate_deg, rotate_deg) * torch.pi / 180, 1 / dice.uniform(1 - scale, 1 + scale)
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        to = 2 * dice.uniform(-shift, shift, 2)
        theta = torch.stack((torch.stack((cos, -sin, to[:, 0]), 1), torch.stack((sin, cos, to[:, 1]), 1)), 1)
        grid = affine_grid(theta.to(x.dtype), list(x.shape), align_corners=False)
        x = grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(-1, 1)
    if colour:
        bright, contrast, saturation = (dice.uniform(1 - colour, 1 + colour)[:, None, None, None] for _ in range(3))
        x = (x + 1) * bright - 1
        x = x.mean((1, 2, 3), keepdim=True) + contrast * (x - x.mean((1, 2, 3), keepdim=True))
        x = (x.mean(1, keepdim=True) + saturation * (x - x.mean(1, keepdim=True))).clamp(-1, 1)
    return x
