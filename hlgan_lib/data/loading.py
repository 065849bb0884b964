"""Faces from built-in names, folders of pictures and .npz files; any picture file as RGB."""

from __future__ import annotations

import json
import logging
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ..errors import HLError
from .faces import FaceSet, Pairs

log = logging.getLogger("hlgan")

SHIPPED = Path(__file__).parents[1] / "faces"
BUILT_IN = ("faces:train-hi", "faces:train-lo", "faces:val", "faces:test")
SIZES = {"hi": 64, "lo": 16}  # the paper's two sizes
MAX_SHRINK = 1.5  # a lo reduced by more has lost what H2L should learn
MAX_PIXELS = 64_000_000  # larger pictures are not decoded: 200 MB as RGB
RUNS_PROGRAMS = {"EPS", "WMF", "MPEG", "PDF"}  # formats that need other programs to be read


# ---- sets -------------------------------------------------------------------------------------------------------
def load_faces(
    source: str | Path, size: int | None = None, *, role: str | None = None, minimum: int = 2
) -> FaceSet | Pairs:
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
                raise HLError(
                    f"{name} holds pairs of two sizes, got size={size}: ask for {name}:hi or {name}:lo"
                )
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
        raise HLError(
            f"no such folder or file: {name}: give a folder of pictures, an .npz file, or one of "
            f"{', '.join(BUILT_IN)}"
        )
    _at_least(len(faces), minimum, name, faces.skipped)
    return faces


def _at_least(n: int, minimum: int, source: str, skipped: tuple | list) -> None:
    if n < minimum:
        why = (
            f" ({len(skipped)} skipped, the first: {skipped[0][0]}, {skipped[0][1]})"
            if skipped
            else ""
        )
        raise HLError(
            f"{source} must hold at least {minimum} usable pictures, got {n}{why}: "
            "give a folder with more pictures"
        )


def _read(
    files: list[Path], root: Path, size: int | None, role: str | None, minimum: int
) -> FaceSet:
    """The files as one set; what does not fit is skipped by name."""
    images, names, skipped, shrunk = np.empty((0, 3, 0, 0), np.uint8), [], [], 0
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            image = read_image(file, 4 * size if size else None)
            goal = size or (images.shape[3] if names else min(image.size))
            if size is None and image.size != (goal, goal):
                raise HLError(
                    f"pictures of {root} must be square and of one size where none is asked for, got "
                    f"{name} of {image.width}x{image.height}: give size (64 for hi, 16 for lo)"
                )
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
    return FaceSet(images[: len(names)], tuple(names), str(root), tuple(skipped))


def _warn_shrunk(n: int, size: int | None) -> None:
    if n:
        warnings.warn(
            f"{n} lo pictures shrink by more than {MAX_SHRINK} to {size}x{size}: this wipes out the noise "
            "and blur that H2L should learn; give pictures of about that size",
            UserWarning,
            stacklevel=4,
        )


def _refit(faces: FaceSet, size: int | None, role: str | None) -> FaceSet:
    """The same set at another size, by the rules of fit."""
    h, w = faces.size
    if size is None or (h, w) == (size, size):
        return faces
    if min(h, w) < size:
        raise HLError(
            f"{faces.source} must hold pictures of at least {size}x{size}, got {h}x{w}: "
            "did you mix up hi and lo?"
        )
    _warn_shrunk(len(faces) if role == "lo" and min(h, w) > MAX_SHRINK * size else 0, size)
    images = np.empty((len(faces), 3, size, size), np.uint8)
    for i, image in enumerate(faces.images):
        images[i] = np.asarray(fit(Image.fromarray(image.transpose(1, 2, 0)), size)).transpose(
            2, 0, 1
        )
    return FaceSet(images, faces.names, faces.source, faces.skipped)


def _load_npz(path: Path) -> FaceSet:
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = tuple(str(name) for name in file["names"])
            images = _mapped(path)
            images = file["images"] if images is None else images
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise HLError(
            f"{path} must be a FaceSet file with `images` and `names`, got: {reason(error)}: "
            "make one with FaceSet.save or hlgan prepare"
        ) from error
    return FaceSet(images, names, str(path))


def _mapped(path: Path) -> np.ndarray | None:
    """`images` of an .npz mapped from the disk, or None where it is compressed."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("images.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            return None
    with open(path, "rb") as file:
        file.seek(
            info.header_offset + 26
        )  # zip local header: 30 bytes, then its name and extra field
        lengths = np.frombuffer(file.read(4), "<u2")
        file.seek(info.header_offset + 30 + int(lengths.sum()))
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
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
        raise HLError(
            f"the shipped faces are missing from {SHIPPED}: install hlgan_lib again"
        ) from error


@lru_cache(maxsize=8)
def _shipped(split: str, side: str) -> FaceSet:
    """A mosaic cut into its tiles; shot k of person i is named iiiii-k where each has several."""
    meta, s = _meta()["splits"][split], SIZES[side]
    with Image.open(SHIPPED / meta[side]) as image:
        a = np.asarray(image.convert("RGB"))
    tiles = (
        a.reshape(a.shape[0] // s, s, a.shape[1] // s, s, 3)
        .transpose(0, 2, 4, 1, 3)
        .reshape(-1, 3, s, s)
    )
    people = range(meta["first"], meta["first"] + meta["people"])
    names = [
        f"{i:05d}.png" if meta["shots"] == 1 else f"{i:05d}-{k}.png"
        for i in people
        for k in range(meta["shots"])
    ]
    return FaceSet(np.ascontiguousarray(tiles), tuple(names), f"faces:{split}")


def _built_in(name: str, role: str | None) -> FaceSet | Pairs:
    split, _, side = name.removeprefix("faces:").partition(":")
    if f"faces:{split}" not in BUILT_IN or side not in ("", "hi", "lo"):
        raise HLError(
            f"built-in faces must be one of {', '.join(BUILT_IN)}, the last two with :hi or :lo "
            f"where one side is asked for, got {name}"
        )
    held = [s for s in ("hi", "lo") if s in _meta()["splits"][split]]
    for wanted in (side, role):
        if wanted and wanted not in held:
            raise HLError(
                f"faces:{split} holds {held[0]} pictures only, got a request for {wanted}: use "
                f"faces:train-{wanted}"
            )
    if side and role and side != role:
        raise HLError(f"{name} asks for {side} where {role} is needed: use faces:{split}:{role}")
    side = side or role or (held[0] if len(held) == 1 else "")
    return _shipped(split, side) if side else Pairs(_shipped(split, "hi"), _shipped(split, "lo"))


def load_camera_params(name: str) -> dict[str, np.ndarray]:
    """What the camera drew for each shot of "faces:val" or "faces:test": name -> (N, ...), as `Camera.draw` has it."""
    split = _meta()["splits"].get(name.removeprefix("faces:"), {})
    if "params" not in split:
        raise HLError(f"camera parameters are shipped for faces:val and faces:test, got {name}")
    with np.load(SHIPPED / split["params"], allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


# ---- picture files ----------------------------------------------------------------------------------------------
def _to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode as RGB: 16-bit and float grey scaled to 8 bits, transparency laid on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        if image.mode == "F" and values.max() <= 1:
            top = 1
        else:
            top = 255 if values.max() <= 255 and not image.mode.startswith("I;16") else 65535
        image = Image.fromarray(np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.OPEN if name not in RUNS_PROGRAMS)


def read_image(
    path: str | Path | BinaryIO, at_least: int | None = None, name: str = ""
) -> Image.Image:
    """The picture, a path or an open file, as RGB, turned upright by its EXIF mark, the first frame of an animation.

    name: what an error calls it, by default its path. at_least: a JPEG may be decoded at a half, quarter or eighth, its
    shorter side staying at least that many pixels. Raises HLError where it cannot be read or has more than MAX_PIXELS
    pixels (known before decoding).
    """
    name = name or str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata
            with Image.open(path, formats=_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise HLError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS}")
                if at_least:
                    factor = at_least / min(image.size)
                    image.draft(
                        image.mode, (int(image.width * factor) + 1, int(image.height * factor) + 1)
                    )
                return _to_rgb(ImageOps.exif_transpose(image))
    except HLError as error:
        raise HLError(f"cannot use {name}: {error}: reduce it first") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise HLError(f"cannot read {name}: {error.strerror}") from error
    except Exception as error:  # on hostile bytes Pillow's decoders raise anything
        raise HLError(f"cannot read {name}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The first line of an error of Pillow or NumPy, in plain words."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture that Pillow reads"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def fit(image: Image.Image, size: int) -> Image.Image:
    """Centre-crop to a square and reduce to size with antialiasing (LANCZOS).

    Raises HLError where the picture would have to be enlarged: that invents detail. Source: ours.
    """
    side = min(image.size)
    if side < size:
        raise HLError(
            f"picture must be at least {size}x{size}, got {image.width}x{image.height}: "
            "enlarging would invent detail"
        )
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square if side == size else square.resize((size, size), Image.Resampling.LANCZOS)
