"""The commands about datasets: prepare, a sub-command a kind, and audit."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import Doc
from tyro.conf import Positional

from ..errors import HLError
from ..prepare import checked_out, prepare_file
from ..prepare.kinds import KINDS
from ..prepare.plan import Options
from ..prepare.pool import Made
from ..text import counted, shown
from .console import bar
from .flags import FACES, File, Number, Overwrite, Switch
from .outputs import record, writing

USUAL = Options()
READ = {  # flags that some kinds read
    "n_per_person": (int, "faces of each identity [faces]"),
    "poses": (File, "a list of the pictures to take, one a line"),
    "boxes": (File, "the CSV of boxes; boxes.csv in the folder"),
    "n_held_out": (int, "faces of the test part, whole photographs [faces]"),
    "faces": (Switch, "look for faces where no box is known (needs hlgan_lib[faces])"),
}


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a dataset, in its owners' own folder layout, into a FaceSet file."""

    KIND: ClassVar[str]
    src: Annotated[Positional[str], Doc("the folder, .zip or .tar (hub: the dataset's name)")]
    out: Annotated[Path, Doc("the FaceSet file, .npz")]
    size: Annotated[Number, Doc("side [pixels]; 64 for hi, 16 for lo")] = None
    n: Annotated[int, Doc("images at most [images], a seeded choice; 0 takes all")] = USUAL.n
    seed: Annotated[int, Doc("seed of every choice made at random [number]")] = USUAL.seed
    contact_sheet: Annotated[File, Doc("also a PNG of 64 evenly spaced images")] = None
    workers: Annotated[Number, Doc("processes; one a core for more than a few files")] = None
    overwrite: Overwrite = False

    def run(self) -> int:
        out, sheet = checked_out(self.out, self.contact_sheet), self.contact_sheet
        source = None if self.KIND == "hub" else self.src  # a name there, no folder
        with ExitStack() as stack:
            for path, flag in ((out, "--out"), (sheet, "--contact-sheet")):
                if path:
                    writes = writing(
                        "prepare",
                        [path],
                        sources=[source],
                        overwrite=self.overwrite,
                        flag=flag,
                    )
                    stack.enter_context(writes)
            say(self.prepare(out))
        return 0

    def prepare(self, out: Path) -> Made:
        """Read the dataset and write its file."""
        own = {key: getattr(self, key) for key in ("role", "split", *READ) if hasattr(self, key)}
        return prepare_file(
            self.KIND,
            self.src,
            out,
            size=self.size,
            contact_sheet=self.contact_sheet,
            workers=self.workers,
            progress=bar,
            n=self.n,
            seed=self.seed,
            **own,
        )


def say(made: Made) -> None:
    """Print what was made."""
    if made.n_before:
        print(f"went on behind the {made.n_before:,} files of a stopped run")
    for note in made.notes:
        print(shown(note))
    size = f"{made.size}x{made.size}"
    pictures = counted(made.n, "picture", "pictures")
    print(f"wrote {made.path}: {pictures} of {size}, {len(made.skipped)} skipped")


def command_of(name: str) -> type[Prepare]:
    """The command of one kind: the common flags, and those that it reads with its own defaults."""
    kind = KINDS[name]
    role = Annotated[Literal["hi", "lo"], Doc("hi: HR images, lo: LR images")]
    fields: list[tuple[str, Any, Any]] = [("role", role, field(default=kind.role))]
    if kind.splits:
        split: Any = Annotated[Literal.__getitem__(kind.splits), Doc("which of the owners' parts")]
        fields.append(("split", split, field(default=kind.splits[0])))
    for flag in kind.reads:
        flag_type, words = READ[flag]
        usual = field(default=getattr(USUAL, flag))
        fields.append((flag, Annotated[flag_type, Doc(words)], usual))
    made = make_dataclass(
        f"Prepare_{name}",
        fields,
        bases=(Prepare,),
        frozen=True,
        kw_only=True,
        namespace={"KIND": name},
    )
    card = kind.card
    made.__doc__ = (
        f"{card.title[0].upper()}{card.title[1:]}.\n\nReads {card.layout}\n\n"
        f"Licence: {card.licence} Sharing: {card.sharing} More in docs/data.md."
    )
    return made


@dataclass(frozen=True, kw_only=True)
class PreparePaper:
    """The paper's sets of 183,000 HR, 50,000 LR and 3,000 test faces, of whatever is there.

    Prints the composition beside the paper's counts, and what is missing. Writes hi.npz, lo.npz
    and lo-test.npz; run again, it goes on.
    """

    out: Annotated[Path, Doc("folder for hi.npz, lo.npz, lo-test.npz and parts/")]
    celeba: Annotated[File, Doc("CelebA: hlgan prepare celeba --help says in which layout")] = None
    aflw: Annotated[File, Doc("AFLW")] = None
    ls3dw: Annotated[File, Doc("LS3D-W")] = None
    vggface2: Annotated[File, Doc("VGGFace2")] = None
    wider: Annotated[File, Doc("WIDER FACE")] = None
    poses: Annotated[File, Doc("of VGGFace2 a list of the pictures to take, one a line")] = None
    n_held_out: Annotated[int, Doc("LR faces held out for the test [faces]")] = USUAL.n_held_out
    seed: Annotated[int, Doc("seed of every choice made at random [number]")] = USUAL.seed
    workers: Annotated[Number, Doc("processes; one a core for more than a few files")] = None
    overwrite: Overwrite = False

    def run(self) -> int:
        from ..files import out_folder
        from ..prepare.paper import composition, files_of, prepare_paper

        kinds = "celeba", "aflw", "ls3dw", "vggface2", "wider"
        sources = {kind: getattr(self, kind) for kind in kinds}
        out = out_folder(self.out)
        paths = files_of(sources, out)
        with writing(
            "prepare paper",
            paths,
            folder=out,
            sources=sources.values(),
            overwrite=self.overwrite,
        ):
            rows = prepare_paper(
                sources,
                out,
                seed=self.seed,
                n_held_out=self.n_held_out,
                poses=self.poses,
                workers=self.workers,
                progress=bar,
                wrote=lambda path: record("prepare paper", out, [path]),
            )
        print(composition(rows))
        return 0


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What is in datasets, and what is wrong with them, on one page that needs no network.

    Copies and near-copies within a file and across files (a training set that leaks into the test
    set), light, blur, JPEG, images unlike the others, LR that is nothing but reduced HR.
    """

    files: Annotated[Positional[tuple[str, ...]], Doc(f"datasets: {FACES}")]
    out: Annotated[Path, Doc("the page, .html")] = Path("audit.html")
    overwrite: Overwrite = False

    def run(self) -> int:
        from ..prepare.audit import audit
        from ..prepare.audit_page import save_page

        if self.out.suffix != ".html" or self.out.is_dir():
            raise HLError(f"--out must be a file that ends in .html, got {self.out}")
        with writing("audit", [self.out], sources=self.files, overwrite=self.overwrite):
            report = audit(list(self.files))
            save_page(report, self.out)
        for line in report.sentences():
            print(shown(line))
        print(f"wrote {self.out}")
        return 0


PREPARE: dict[str, type] = {kind: command_of(kind) for kind in KINDS}
PREPARE["paper"] = PreparePaper
