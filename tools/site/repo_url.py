"""Set the address of the repository.

In pyproject.toml, in the notebooks' set-up cell and badges, and in README.md.

    make repo-url URL=https://github.com/OWNER/NAME    also .../tree/BRANCH
    make repo-url URL=                                      removes it again
    make repo-url                                      the present one, into new notebooks

The address is one line of pyproject.toml; the text of the set-up cell and of the badges is here and
nowhere else. From GitHub, Colab and Kaggle open a notebook by its path; from any other https
address the set-up cell installs, and there are no badges. Without an address there is nothing that
could be broken.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETUP = """\
# Set-up, the same in every notebook: installs what is missing, keeps torch. On Kaggle turn Internet on first.
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

SOURCE = ""  # make repo-url URL=...
if util.find_spec("hlgan_lib") is None:
    source = next((str(p) for p in (Path.cwd(), *Path.cwd().parents) if (p / "hlgan_lib").is_dir()), SOURCE)
    assert source, "not inside a clone: set SOURCE to git+https://ADDRESS, an uploaded .whl or a Drive folder"
    torch_as_it_is = [f"{p}=={metadata.version(p)}" for p in ("torch", "torchvision") if util.find_spec(p)]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", source, *torch_as_it_is], check=True)
from hlgan_lib import notebook

notebook.hello()"""  # noqa: E501 (a cell of a notebook)
# Colab gives a notebook that asks for it a GPU at once.
GPU = {"accelerator": "GPU", "colab": {"gpuType": "T4"}}
HTTPS = re.compile(r"https://[\w.-]+\.\w+(/[\w.~-]+){2,}")
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:/tree/([\w./-]+))?")
SECTION = re.compile(r'\[project\.urls\]\nRepository = "(.*)"\n\n')
ROW = re.compile(r"\n\n\[!\[Open in Colab\].*(?=\n)")


# ---- what is written -----------------------------------------------------------------------------
def pip_source(url: str) -> str:
    """What pip installs from this address; "" without one."""
    address, _, branch = url.partition("/tree/")
    return (f"git+{address}" + (f"@{branch}" if branch else "")) if url else ""


def setup_cell(url: str) -> str:
    """The set-up cell of every notebook; with an address it installs from there."""
    return SETUP.replace('SOURCE = ""', f'SOURCE = "{pip_source(url)}"')


def badges(path: str, url: str) -> str:
    """The row of badges of the notebook at `path` in the repository.

    Empty where there is nothing to open it.
    """
    if not (found := GITHUB.fullmatch(url)):
        return ""
    blob = f"{found[1]}/blob/{found[2] or 'main'}/{path}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{blob}) "
        f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"(https://kaggle.com/kernels/welcome?src=https://github.com/{blob})"
    )


def under_title(text: str, row: str) -> str:
    """`text`, whose first line is its title, with this row of badges under it and no other."""
    text = ROW.sub("", text, count=1)
    title, rest = text.split("\n", 1)
    return f"{title}\n\n{row}\n{rest}" if row else text


# ---- where it is written -------------------------------------------------------------------------
def dress(nb: dict, path: str, url: str) -> dict:
    """The notebook (as JSON), meant for `path` in the repository, with its badges, its set-up cell
    for this address, and its wish for a GPU.
    """
    cells = nb["cells"]
    setup = next(
        c for c in cells if c["cell_type"] == "code" and "".join(c["source"]).startswith("# Set-up")
    )
    nb["metadata"] |= GPU
    for cell, text in (
        (cells[0], under_title("".join(cells[0]["source"]), badges(path, url))),
        (setup, setup_cell(url)),
    ):
        cell["source"] = text.splitlines(keepends=True)
    return nb


def stored(root: Path = ROOT) -> str:
    """The address as pyproject.toml has it, or ""."""
    found = SECTION.search((root / "pyproject.toml").read_text("utf-8"))
    return found[1] if found else ""


def notebooks(root: Path = ROOT) -> list[Path]:
    """The course's notebooks and the students' copies."""
    return sorted(
        [*root.glob("notebooks/[0-9][0-9]*_*.ipynb"), *root.glob("notebooks/student/*.ipynb")]
    )


def write(url: str, root: Path = ROOT) -> list[Path]:
    """Put this address, or none, everywhere; the files that changed."""
    texts = {
        root / name: (root / name).read_text("utf-8") for name in ("pyproject.toml", "README.md")
    }
    pyproject, readme = texts
    section = f'[project.urls]\nRepository = "{url}"\n\n' if url else ""
    new = {
        pyproject: SECTION.sub("", texts[pyproject]).replace(
            "[project.scripts]\n", section + "[project.scripts]\n"
        )
    }
    paths = notebooks(root)
    first = paths[0].relative_to(root).as_posix()
    new[readme] = re.sub(
        r'(?<=hlgan_lib @ )[^"]+(?=")',
        pip_source(url) or "git+URL",
        under_title(texts[readme], badges(first, url)),
    )
    for path in paths:
        texts[path] = path.read_text("utf-8")
        nb = dress(json.loads(texts[path]), path.relative_to(root).as_posix(), url)
        new[path] = json.dumps(nb, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    changed = [path for path in new if new[path] != texts[path]]
    for path in changed:
        path.write_text(new[path], "utf-8")
    return changed


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "url", nargs="?", help='the address; "" removes it; left out, the present one is used'
    )
    url = parser.parse_args(arguments).url
    url = stored(root) if url is None else url.strip().rstrip("/").removesuffix(".git")
    at_github = "//github.com/" in url
    if url and not (GITHUB if at_github else HTTPS).fullmatch(url):
        wanted = (
            "https://github.com/OWNER/NAME[/tree/BRANCH]"
            if at_github
            else "https://HOST/OWNER/NAME"
        )
        print(f"URL must be {wanted}, got {url!r}: copy it from the browser", file=sys.stderr)
        return 2
    changed = write(url, root)
    print(
        "\n  ".join(
            [
                f"{url or 'no address'}: {len(changed)} files changed",
                *(p.relative_to(root).as_posix() for p in changed),
            ]
        )
    )
    if url and not at_github:
        print(
            "The set-up cell installs from there; no badges: Colab and Kaggle open "
            "notebooks from GitHub only"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
