"""The commands that need one call each: demo, degrade, upscale, evaluate, card, adapt, info."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc

from ..errors import HLError
from ..runtime import pick_device
from ..text import counted
from .console import bar, say, some, table
from .flags import (
    FACES,
    WEIGHTS,
    Device,
    File,
    Name,
    Names,
    Overwrite,
    PresetName,
    Source,
    Switch,
)

if TYPE_CHECKING:
    from ..data.faces import FaceSet
    from ..prepare.photograph import Found

CARD_AT_LEAST = 40  # faces, `analysis.card.AT_LEAST`: help imports no torch
ADAPT_AT_LEAST, ADAPT_STEPS = 20, 120  # `adaptation.AT_LEAST`, `adaptation.STEPS`


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The whole pipeline, shipped faces and weights: pictures and scores in a minute."""

    out: Annotated[Path, Doc("folder for restoration.png, degradation.png and scores.json")] = Path(
        "demo"
    )
    h2l: Annotated[str, Doc(f"weights of stage one: {WEIGHTS}")] = "h2l"
    l2h: Annotated[str, Doc(f"weights of stage two: {WEIGHTS}")] = "l2h"
    overwrite: Overwrite = False
    device: Device = None

    def run(self) -> int:
        from .pictures import demo

        device = pick_device(self.device)
        for path in demo(self.out, self.h2l, self.l2h, device, self.overwrite):
            say(f"wrote {path}")
        scores = json.loads(path.read_text())  # the last file
        rows = {}
        for method in ("bicubic", "ours"):
            rows[method] = {metric: s["value"] for metric, s in scores[method].items()}
        table(rows, f"{scores['set']}, {scores['pairs']} pairs")
        return 0


@dataclass(frozen=True, kw_only=True)
class Degrade:
    """Degrade HR images as H2L has learned; a PNG for each, under the name of its file."""

    weights: Annotated[str, Doc(WEIGHTS)]
    input: Annotated[
        str, Doc(f"HR images: a picture, {FACES}; larger ones are cropped and reduced")
    ]
    out: Annotated[Path, Doc("folder for the PNGs")]
    n_z: Annotated[
        int,
        Doc("pictures of each input, a noise each [pictures]; above 1 the names end in _z0, ..."),
    ] = 1
    seed: Annotated[int, Doc("seed of the noise vectors [number]")] = 0
    overwrite: Overwrite = False
    device: Device = None

    def run(self) -> int:
        from .pictures import degrade_files

        written = degrade_files(
            self.weights,
            self.input,
            self.out,
            self.n_z,
            self.seed,
            pick_device(self.device),
            bar,
            self.overwrite,
        )
        _say_written("degrade", self.out, len(written), written)
        return 0


@dataclass(frozen=True, kw_only=True)
class Upscale:
    """Restore LR images with L2H; a PNG for each, under the name of its file."""

    out: Annotated[Path, Doc("folder for the PNGs")]
    weights: Annotated[str, Doc(WEIGHTS)] = "l2h"
    input: Annotated[Source, Doc(f"LR images: a picture, {FACES}")] = None
    faces: Annotated[
        File,
        Doc(
            "instead of --input: a photograph of one or more people, whose faces are found, "
            "restored, numbered and shown on one sheet (needs hlgan_lib[faces])"
        ),
    ] = None
    fit: Annotated[
        Switch, Doc("crop and reduce pictures of other sizes (nothing is enlarged), do not refuse")
    ] = False
    trust: Annotated[
        Switch, Doc("also write trust.csv, how far to trust each result, and name the doubtful")
    ] = False
    h2l: Annotated[
        Name, Doc("with --trust: the stage one that --weights goes with; else the shipped h2l")
    ] = None
    sheet: Annotated[
        Switch, Doc("also write hlgan-sheet.png, one page: LR, bicubic and result of 8 pictures")
    ] = False
    overwrite: Overwrite = False
    device: Device = None

    def run(self) -> int:
        from ..files import out_folder
        from .pictures import (
            SHEET,
            TRUST,
            find_in_photograph,
            save_faces_sheet,
            upscale_files,
            upscale_with_trust,
        )

        device = pick_device(self.device)
        if (self.input is None) == (self.faces is None) or (self.faces and self.fit):
            raise HLError(
                "give LR images as --input, which --fit may crop, or one photograph as --faces"
            )
        found = None
        images: str | FaceSet = self.input or ""
        if self.faces:
            found = find_in_photograph(self.weights, self.faces, self.out, device, self.overwrite)
            images = found.faces
        arguments = images, self.out, self.fit, device, bar, self.overwrite, self.sheet
        beside = [out_folder(self.out) / SHEET] if self.sheet else []
        if self.trust:
            written, doubtful = upscale_with_trust(
                self.weights, self.h2l or "shipped:h2l", *arguments
            )
            beside.append(out_folder(self.out) / TRUST)
            n, listed = len(doubtful), self.out / TRUST
            say(f"{n} of {len(written)} are doubtful{some(doubtful)} (see {listed})")
        elif self.h2l:
            raise HLError(
                f"--h2l {self.h2l} is for the trust score only: add --trust, or leave it out"
            )
        else:
            written = upscale_files(self.weights, *arguments)
        if found:
            beside.append(save_faces_sheet(found, written, self.out))
            say_found(found, beside[-1])
        _say_written("upscale", self.out, len(written), [*written, *beside])
        if self.sheet:
            say(f"wrote {self.out / SHEET}")
        return 0


def say_found(found: Found, sheet: Path) -> None:
    """How many faces a photograph has, and which of them lose more than they gain."""
    size = found.faces.size[0]
    n = len(found.boxes)
    say(f"found {counted(n, 'face', 'faces')} in {found.faces.source}: see {sheet}")
    for place, why in found.skipped:
        say(f"left out {place}: {why}")
    if found.large:
        say(
            f"{len(found.large)} of {n} are much larger than {size}x{size}, to which they were "
            f"reduced first: the photograph holds more of them{some(found.large)}"
        )


def _say_written(command: str, out: Path, n: int, written: list[Path]) -> None:
    """How many pictures were written, and what an earlier run left beside them."""
    from ..files import out_folder
    from .outputs import say_leftovers

    say(f"wrote {counted(n, 'picture', 'pictures')} to {out}")
    say_leftovers(command, out_folder(out), written)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure how far pictures are from real ones."""

    fake: Annotated[str, Doc(f"pictures to measure: {FACES}")]
    real: Annotated[str, Doc(f"pictures to measure against: {FACES}")]
    paired: Annotated[Switch, Doc("picture by picture too (PSNR, SSIM), matched by name")] = False
    metrics: Annotated[
        Names,
        Doc(
            "joined by commas, of psnr, ssim, consistency, frechet_lite0, kernel_lite0, "
            "frechet_lite0_paper and, with weights to download, fid, kid, fid_paper, lpips; "
            "without it all that apply and need no download"
        ),
    ] = None
    channel: Annotated[
        Literal["rgb", "y"], Doc("what PSNR and SSIM look at: RGB, or Y of BT.601")
    ] = "rgb"
    border: Annotated[int, Doc("cut from every side before PSNR and SSIM [pixels]")] = 0
    lo: Annotated[
        Source,
        Doc(
            "the LR images that --fake was restored from, matched by name: consistency, the "
            f"restored faces reduced again against them; {FACES}"
        ),
    ] = None
    train: Annotated[
        Source,
        Doc(
            "HR training images, the reference of the names that end in _paper (the authors' "
            "protocol), such as faces:train-hi"
        ),
    ] = None
    json: Annotated[File, Doc("also write the scores to this file")] = None
    overwrite: Overwrite = False
    seed: Annotated[
        int, Doc("seed of the subsets that the kernel distance is measured on [number]")
    ] = 0

    def run(self) -> int:
        from .pictures import evaluate_files

        scores = evaluate_files(
            self.fake,
            self.real,
            self.paired,
            self.metrics,
            self.seed,
            self.json,
            self.channel,
            self.border,
            self.lo,
            self.train,
            self.overwrite,
        )
        rows = {}
        for name, s in scores.items():
            rows[name] = {
                "value": s["value"],
                "95 %": "{:.4g} to {:.4g}".format(*s["ci"]) if s["ci"] else None,
                "floor": s["floor"],
                "n": s["n"],
                "of": s["features"],
                "note": s["note"],
            }
        table(rows, f"{self.fake} against {self.real}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Card:
    """What an H2L learned, on one page (card.png), and its numbers (card.json).

    Of your own faces no ground truth is known.
    """

    weights: Annotated[str, Doc(WEIGHTS)]
    hi: Annotated[str, Doc(f"HR images, at least {CARD_AT_LEAST}: {FACES}")]
    lo: Annotated[
        str, Doc(f"LR images of other people, one of each, at least {CARD_AT_LEAST}: {FACES}")
    ]
    out: Annotated[Path, Doc("folder for card.png and card.json")]
    seed: Annotated[int, Doc("seed of the noise vectors and draws [number]")] = 0
    overwrite: Overwrite = False

    def run(self) -> int:
        from ..analysis.card import FILES, card_files
        from ..files import out_folder
        from .outputs import writing

        out = out_folder(self.out)
        paths = [out / name for name in FILES]
        sources = self.hi, self.lo
        with writing("card", paths, folder=out, sources=sources, overwrite=self.overwrite):
            card, written = card_files(self.weights, self.hi, self.lo, out, self.seed)
        for line in (*card["verdicts"], *(f"wrote {path}" for path in written)):
            say(line)
        return 0


@dataclass(frozen=True, kw_only=True)
class Adapt:
    """Adapt a learned camera to a few LR images of another camera; kept where it helps.

    What helps is decided on images that did not adapt it. --out holds weights in either case, and
    the gap before and after in adaptation.json.
    """

    weights: Annotated[str, Doc(f"of a learned camera: {WEIGHTS}")] = "h2l"
    lo: Annotated[
        str, Doc(f"LR images of the new camera, at least {ADAPT_AT_LEAST}, better 50: {FACES}")
    ]
    hi: Annotated[str, Doc(f"HR images to degrade, of other people: {FACES}")] = "faces:train-hi"
    out: Annotated[Path, Doc("folder for the weights, which learned:OUT reads")]
    steps: Annotated[int, Doc("length of each of its four adaptations [updates]")] = ADAPT_STEPS
    seed: Annotated[int, Doc("seed of all that is drawn [number]")] = 0
    overwrite: Overwrite = False
    device: Device = None

    def run(self) -> int:
        from ..adaptation import FILES, adapt
        from ..files import out_folder
        from .outputs import writing

        if self.steps < 1:
            raise HLError(f"--steps must be 1 or more, got {self.steps}")
        out, device = out_folder(self.out), pick_device(self.device)
        paths = [out / name for name in FILES]
        sources = self.hi, self.lo
        with writing("adapt", paths, folder=out, sources=sources, overwrite=self.overwrite):
            found = adapt(
                self.weights, self.lo, hi=self.hi, steps=self.steps, seed=self.seed, device=device
            )
            found.save(out)
        rows = {}
        for name, gap in (("before", found.before), ("after", found.after)):
            rows[name] = {
                "told apart": f"{gap.told_apart.accuracy:.0%}",
                "kernel distance": gap.kernel,
                "energy score": gap.energy,
            }
        table(rows, f"its pictures against {self.lo}")
        say(found.verdict())
        say(f"wrote {paths[0]}: train on it with --degradation learned:{self.out}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Info:
    """Versions, device, presets and shipped weights.

    With --preset its changes, and the source of every value.
    """

    preset: Annotated[PresetName | None, Doc("show this preset")] = None

    def run(self) -> int:
        from .info import about, about_preset

        print(about_preset(self.preset) if self.preset else about())
        return 0
