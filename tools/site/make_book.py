"""All notebooks and docs as one static site.

    python tools/site/make_book.py [OUT]        as `make book` does

The README is the front page. Outputs are those stored in the notebooks; nothing is executed,
nothing is fetched. The site needs no server and no connection. Student copies and results/ are left
out. Every warning of Sphinx is an error, and tools/site/check_site.py checks links, anchors,
pictures and alt texts of what was made.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from check_site import report

from hlgan_lib.files import user_path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "book"
DOCS = (
    "teaching",
    "findings",
    "metrics",
    "paper",
    "anchors",
)  # first, in this order; others follow
TOCTREE = "\n\n```{{toctree}}\n:hidden:\n:caption: {}\n\n{}\n```\n"


def lay_out(source: Path) -> None:
    """The sources of the book in one folder: README as index, notebooks, docs, figures."""
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
    docs = sorted(
        (ROOT / "docs").glob("*.md"),
        key=lambda p: (p.stem not in DOCS, (*DOCS, p.stem).index(p.stem)),
    )
    for folder, paths in (
        ("notebooks", notebooks),
        ("docs", [*docs, *(ROOT / "docs").glob("*.png")]),
        ("figures", (ROOT / "figures").glob("*.*")),
        ("_static", [HERE / "book.css"]),
    ):
        (source / folder).mkdir()
        for path in paths:
            if path.suffix != ".md" or folder == "docs":
                shutil.copyfile(path, source / folder / path.name)
    shutil.copyfile(HERE / "conf.py", source / "conf.py")
    contents = TOCTREE.format("Notebooks", "\n".join(f"notebooks/{p.stem}" for p in notebooks))
    contents += TOCTREE.format("Docs", "\n".join(f"docs/{p.stem}" for p in docs))
    (source / "index.md").write_text((ROOT / "README.md").read_text("utf-8") + contents, "utf-8")


def build(out: Path) -> int:
    """Make the site in `out`; 0 if Sphinx and the check had nothing to say."""
    try:
        import furo  # noqa: F401
        import latex2mathml  # noqa: F401
        import myst_nb  # noqa: F401
        from sphinx.cmd.build import build_main
    except ImportError as error:
        print(
            f'make_book: {error.name} is missing: pip install "hlgan_lib[book]", or make install',
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        lay_out(source)
        failed = build_main(
            [
                "-q",
                "-W",
                "--keep-going",
                "-b",
                "html",
                "-d",
                str(Path(folder, "doctrees")),
                str(source),
                str(out),
            ]
        )
    return failed or report(out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "out",
        nargs="?",
        type=user_path,
        default=ROOT / "outputs" / "book",
        help="default: outputs/book",
    )
    return build(parser.parse_args().out.resolve())


if __name__ == "__main__":
    sys.exit(main())
