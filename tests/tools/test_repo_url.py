"""`make repo-url`: one address in pyproject, set-up cells, badges, README.

A round trip leaves every byte as it was.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))
import repo_url  # noqa: E402

URL = "https://github.com/ann/course"


@pytest.fixture
def root(tmp_path):
    """A copy of what the tool writes, without an address.

    01 has a student copy, made without badges.
    """
    (tmp_path / "notebooks" / "student").mkdir(parents=True)
    for path in (
        ROOT / "pyproject.toml",
        ROOT / "README.md",
        *sorted(ROOT.glob("notebooks/0[12]_*.ipynb")),
    ):
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    shutil.copy(
        ROOT / "notebooks" / "01_data.ipynb", tmp_path / "notebooks" / "student" / "01_data.ipynb"
    )
    repo_url.write("", tmp_path)
    return tmp_path


def contents(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def title(root, name):
    return "".join(json.loads((root / name).read_text())["cells"][0]["source"])


def test_an_address_is_set_replaced_and_removed_without_a_trace(root, capsys):
    before = contents(root)
    assert repo_url.main([URL], root) == 0 and repo_url.stored(root) == URL
    assert f"{URL}: {len(before)} files changed" in capsys.readouterr().out
    once = contents(root)
    assert repo_url.main([URL + ".git/"], root) == 0 and contents(root) == once, (
        "the same address changes nothing"
    )
    assert repo_url.main([], root) == 0 and contents(root) == once, "no address is the present one"
    assert repo_url.main([URL.replace("ann", "bob")], root) == 0
    assert b"ann/course" not in b"".join(contents(root).values())
    assert contents(root) == {k: v.replace(b"ann/course", b"bob/course") for k, v in once.items()}
    assert repo_url.main([""], root) == 0 and contents(root) == before


def test_badges_stand_under_the_title_and_lead_to_the_notebook_itself(root):
    repo_url.write(URL, root)
    for name in ("notebooks/02_high_to_low_gan.ipynb", "notebooks/student/01_data.ipynb"):
        heading, gap, row, gap_too, words = title(root, name).split("\n")[:5]
        assert heading.startswith("# ") and gap == gap_too == "" and words
        links = re.findall(r"\[!\[([^]]+)\]\(https://[^)]+\.svg\)\]\((https://[^)]+)\)", row)
        assert links == [
            (
                "Open in Colab",
                f"https://colab.research.google.com/github/ann/course/blob/main/{name}",
            ),
            (
                "Open in Kaggle",
                f"https://kaggle.com/kernels/welcome?src=https://github.com/ann/course/blob/main/{name}",
            ),
        ]
    assert "blob/main/notebooks/01_data.ipynb" in (root / "README.md").read_text().splitlines()[2]
    assert f'\n\n[project.urls]\nRepository = "{URL}"\n\n[' in (root / "pyproject.toml").read_text()
    assert f'pip install "hlgan_lib @ git+{URL}"' in (root / "README.md").read_text()


def test_a_branch_is_what_is_opened_and_installed(root):
    repo_url.write(f"{URL}/tree/term-2", root)
    assert "ann/course/blob/term-2/notebooks/01_data.ipynb" in title(
        root, "notebooks/01_data.ipynb"
    )
    assert f'SOURCE = "git+{URL}@term-2"' in repo_url.setup_cell(repo_url.stored(root))


def test_another_host_installs_and_says_that_it_has_no_badges(root, capsys):
    repo_url.write(URL, root)
    assert repo_url.main(["https://git.example.org/group/ann/course"], root) == 0
    assert "no badges" in capsys.readouterr().out
    assert "[![" not in title(root, "notebooks/01_data.ipynb") + (root / "README.md").read_text()
    assert (
        "git+https://git.example.org/group/ann/course"
        in (root / "notebooks" / "01_data.ipynb").read_text()
    )


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:ann/course",
        "http://github.com/ann/course",
        "https://github.com/ann",
        "https://github.com/ann/course/blob/main/README.md",
        "course",
        f'{URL}"; import os',
    ],
)
def test_what_is_no_address_changes_nothing(root, url, capsys):
    before = contents(root)
    assert repo_url.main([url], root) == 2
    assert (
        re.match(r"URL must be https://\S+, got ", capsys.readouterr().err)
        and contents(root) == before
    )


def test_what_is_committed_is_what_the_tool_writes():
    """Badges and set-up cells of every notebook and student copy, for the address that
    pyproject.toml holds.
    """
    url = repo_url.stored()
    for path in repo_url.notebooks():
        text = path.read_text("utf-8")
        nb = repo_url.dress(json.loads(text), path.relative_to(ROOT).as_posix(), url)
        assert text == json.dumps(nb, indent=1, ensure_ascii=False) + "\n", (
            f"{path.name}: run `make repo-url`"
        )


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_tells_an_empty_address_from_none():
    """What make would run, with and without URL=."""
    for given, passed in ([], ""), (["URL="], '""'), ([f"URL={URL}"], f'"{URL}"'):
        ran = subprocess.run(
            ["make", "-n", "--no-print-directory", "repo-url", *given],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split("tools/site/repo_url.py")[1].strip() == passed
