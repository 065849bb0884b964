"""What is shipped: one version, data inside the wheel, a small tree, no trace of a machine."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from functools import cache
from pathlib import Path

import pytest

import hlgan_lib

ROOT = Path(__file__).parents[1]
TEXT = {".py", ".md", ".ipynb", ".toml", ".yml", ".json", ".cff", ".csv", "", ".cfg", ".txt"}
# An absolute path of somebody's machine: not part of a URL or of a longer relative path.
MACHINE = re.compile(
    r"(?<![\w.:/~-])/(?:home|Users|root|work|tmp/(?:ipykernel|w/|pytest))[/_]?[\w.]*"
)


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks, or would (not ignored)."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return tuple(
        p
        for name in sorted(set(listed.stdout.decode().split("\0")) - {""})
        if (p := ROOT / name).is_file()
    )


def written_version() -> str:
    return re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def test_one_version_everywhere():
    assert (
        re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)[1]
        == written_version()
    )
    try:
        installed = importlib.metadata.version("hlgan_lib")
    except importlib.metadata.PackageNotFoundError:
        assert hlgan_lib.__version__ == "0+source"
    else:
        assert hlgan_lib.__version__ == installed == written_version(), (
            "make install again after a change of version"
        )


def test_environment_yml_repeats_no_requirement():
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text().splitlines()]
    wanted = lines[lines.index("dependencies:") + 1 :]
    assert wanted == ["- python>=3.10", "- pip", "- pip:", "- -e .[all]"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """What the wheel is made of, apart from this checkout: a build leaves nothing here."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in ("hlgan_lib", "pyproject.toml", "README.md", "LICENSE", "LICENSE-DATA"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, source / name)
    return source


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            "-w",
            str(out),
            str(copy),
        ],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = out.glob("*.whl")
    return path


def test_wheel_holds_the_shipped_data_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {
        p.relative_to(ROOT).as_posix() for p in tracked() if p.is_relative_to(ROOT / "hlgan_lib")
    }
    assert inside == package
    assert any(name.startswith("hlgan_lib/faces/") for name in inside)


def test_wheel_carries_both_licences_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        info = {
            name.split(".dist-info/")[1]: name
            for name in archive.namelist()
            if ".dist-info/" in name
        }
        assert {"licenses/LICENSE", "licenses/LICENSE-DATA"} <= set(info)
        assert "hlgan = hlgan_lib.__main__:main" in archive.read(info["entry_points.txt"]).decode()
        metadata = archive.read(info["METADATA"]).decode()
    assert not re.search(
        r"^Requires-Dist: (torch|torchvision|numpy)\b[^;\n]*(==|<|~=|\+cpu)", metadata, re.M
    )


def test_faces_load_from_an_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import hlgan_lib as hl; print(hl.__file__, len(hl.load_faces('faces:val').hi))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [str(tmp_path / "site" / "hlgan_lib" / "__init__.py"), "200"]


def test_the_face_loads_modules_and_names_at_first_use():
    assert all(hasattr(hlgan_lib, name) for name in hlgan_lib.__all__)
    assert hlgan_lib.__getattr__("losses") is importlib.import_module("hlgan_lib.losses")
    assert hlgan_lib.__getattr__("train") is importlib.import_module("hlgan_lib.training").train
    with pytest.raises(AttributeError, match="'hlgan_lib' has no attribute 'trian'"):
        _ = hlgan_lib.trian


# ---- the set-up cell of the notebooks, in a clean environment ------------------------------------
MOUNT = """
from pathlib import Path

def mount(path):
    print("mounted", path)
    Path(path, "MyDrive").mkdir(parents=True)
"""
SESSION = """
import json, os, sys
from pathlib import Path
if "COLAB_RELEASE_TAG" in os.environ:
    import google.colab  # as in Colab's own kernel
exec(compile(sys.argv[1], "set-up", "exec"))
import torch, hlgan_lib
from hlgan_lib.notebook import hosts
hosts.DRIVE = Path.cwd() / "drive"
lessons = [notebook.setup("auto", 0, out) for out in sys.argv[2:]]
found = {"package": hlgan_lib.__file__, "torch": [torch.__version__, torch.__file__],
         "gpu": torch.cuda.is_available(), "preset": lessons[0].preset}
print(json.dumps(found | {"out": [str(x.out) for x in lessons]}))
"""


@pytest.fixture
def clean(tmp_path):
    """site-packages of a venv with what is installed here, but without this package or network."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    present = tmp_path / "present"
    present.mkdir()
    for entry in (
        e
        for p in sys.path
        if p.endswith("-packages") and Path(p).is_dir()
        for e in Path(p).iterdir()
    ):
        if "hlgan" not in entry.name and not (present / entry.name).exists():
            (present / entry.name).symlink_to(entry)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "present.pth").write_text(f"{present}\n")
    return site


def set_up(
    site: Path, folder: Path, source: str, *outs: str, **host: str
) -> subprocess.CompletedProcess:
    """The set-up cell, then `notebook.setup` for each OUT, on a host that `host` imitates."""
    nb = json.loads((ROOT / "notebooks" / "01_data.ipynb").read_text())
    cell = next("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code")
    cell, n = re.subn(r'^SOURCE = "[^"]*"', f'SOURCE = "{source}"', cell, flags=re.M)
    assert n == 1
    kept = {
        k: v
        for k, v in os.environ.items()
        if not re.match("PIP_|PYTHON|HLGAN|KAGGLE|COLAB|JPY_|VIRTUAL_ENV", k)
    }
    alone = {
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PYTHONNOUSERSITE": "1",
    }  # 0: the build uses what is installed
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [str(site.parents[2] / "bin" / "python"), "-c", SESSION, cell, *outs],
        cwd=folder,
        env=kept | alone | host,
        capture_output=True,
        text=True,
    )


def check_set_up(ran: subprocess.CompletedProcess, site: Path) -> dict:
    """The package came anew, nothing else did; torch is the old one; the preset fits the device."""
    import torch

    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert Path(told["package"]).parent == site / "hlgan_lib"
    assert {re.sub("-.*", "", p.name) for p in site.iterdir()} == {"hlgan_lib", "present.pth"}
    assert told["torch"] == [
        torch.__version__,
        str(site.parents[3] / "present" / "torch" / "__init__.py"),
    ]
    assert told["preset"] == "quick"
    assert ("No GPU is on" in ran.stdout) != told["gpu"]
    return told


@pytest.mark.slow
def test_the_set_up_cell_on_colab(wheel, clean, tmp_path):
    fake, content = tmp_path / "fake", tmp_path / "content"
    (fake / "google" / "colab").mkdir(parents=True)
    (fake / "google" / "colab" / "drive.py").write_text(MOUNT)
    host = {"COLAB_RELEASE_TAG": "release", "PYTHONPATH": str(fake)}
    ran = set_up(clean, content, str(wheel), "runs", f"{content}/drive/MyDrive/hlgan", **host)
    told = check_set_up(ran, clean)
    assert told["out"] == [
        f"{out}/{told['preset']}" for out in ("runs", f"{content}/drive/MyDrive/hlgan")
    ]
    assert 'OUT = "/content/drive/MyDrive/hlgan"' in ran.stdout, "Drive is offered ..."
    first, _, second = ran.stdout.partition("runs go to runs/")
    assert "mounted" not in first and f"mounted {content}/drive\n" in second, (
        "... and asked for where it was chosen"
    )


@pytest.mark.slow
def test_the_set_up_cell_on_kaggle(wheel, clean, tmp_path):
    ran = set_up(
        clean, tmp_path / "working", str(wheel), "runs", KAGGLE_KERNEL_RUN_TYPE="Interactive"
    )
    told = check_set_up(ran, clean)
    assert told["out"] == [f"runs/{told['preset']}"] and "Persistence" in ran.stdout


@pytest.mark.slow
def test_the_set_up_cell_in_a_clone(copy, clean, tmp_path):
    nowhere = set_up(clean, tmp_path / "elsewhere", "", "runs")
    assert nowhere.returncode and "not inside a clone" in nowhere.stderr
    told = check_set_up(set_up(clean, copy / "notebooks", "", "runs"), clean)
    assert told["out"] == ["runs"] and (copy / "notebooks" / "runs").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["uploaded wheel", "folder on Drive", "address"])
def test_the_set_up_cell_alone_installs_in_each_of_three_ways(way, wheel, copy, clean, tmp_path):
    content = tmp_path / "content"
    content.mkdir()
    if way == "uploaded wheel":
        shutil.copyfile(wheel, content / wheel.name)
        source = wheel.name  # as Colab shows it, beside the notebook
    elif way == "folder on Drive":
        source = str(shutil.copytree(copy, content / "drive" / "MyDrive" / "hlgan"))
    else:
        course = shutil.copytree(copy, tmp_path / "course")
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
            subprocess.run(["git", *command], cwd=course, check=True)
        source = f"git+file://{course}"
    told = check_set_up(set_up(clean, content, source, "runs"), clean)
    assert told["out"] == ["runs"] and (content / "runs").is_dir()


# ---- the tree ------------------------------------------------------------------------------------


def test_sizes():
    size = {p.relative_to(ROOT).as_posix(): p.stat().st_size / 1e6 for p in tracked()}
    assert sum(size.values()) < 67
    assert sum(mb for name, mb in size.items() if name.startswith("hlgan_lib/faces/")) <= 20
    assert sum(mb for name, mb in size.items() if name.startswith("hlgan_lib/weights/")) <= 35


def test_no_checkpoint_is_tracked():
    assert [p for p in tracked() if p.suffix in (".pt", ".pth", ".pkl", ".ckpt")] == []


def machine_paths(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for found in MACHINE.finditer(path.read_text(encoding="utf-8"))
    ]


def test_no_path_of_a_machine():
    assert MACHINE.search("saved to /home/ann/runs") and MACHINE.search('"/tmp/ipykernel_12/3.py"')
    assert not MACHINE.search("https://example.org/home/a and a/work/b")
    texts = [p for p in tracked() if p.suffix in TEXT and p != Path(__file__)]
    assert [hit for p in texts for hit in machine_paths(p)] == []


def test_package_tests_and_notebooks_do_without_what_is_not_in_the_repository():
    outside = "../" + "shared"
    checked = [
        p
        for p in tracked()
        if p.relative_to(ROOT).parts[0] in ("hlgan_lib", "tests", "notebooks")
        and p.suffix in (".py", ".ipynb")
    ]
    assert len(checked) > 20
    assert [p.name for p in checked if outside in p.read_text(encoding="utf-8")] == []


def test_the_table_of_recipes_is_the_stored_one():
    stored = json.loads((ROOT / "results" / "h2l_recipes.json").read_text())["recipes"]
    page = (ROOT / "docs" / "paper.md").read_text()
    table = [
        line for line in page.split("| H2L | PSNR dB |")[1].splitlines()[2:] if line.startswith("|")
    ]

    def cell(value, form: str) -> str:
        return "" if value is None else f" {value:{form}}"

    def row(r: dict) -> str:
        bold = "**" if r["h2l"].startswith("**") else ""
        rest = f"{cell(r['frechet_lite0'], '.0f')} |{cell(r['read'], '.2f')} |"
        return f"| {r['h2l']} | {bold}{r['psnr']:.2f}{bold} |{rest}"

    assert table == [row(r) for r in stored]


def test_the_tables_of_readme_and_findings_are_those_of_the_stored_results():
    from hlgan_lib.study.results import load
    from hlgan_lib.study.tables import findings, readme_table

    stored = load(ROOT / "results")
    for page, text in (("README.md", readme_table(stored)), ("docs/findings.md", findings(stored))):
        assert text in (ROOT / page).read_text(), f"{page}: run tools/results/publish.py"


def test_the_metrics_page_quotes_the_identity_trial():
    page = " ".join((ROOT / "docs" / "metrics.md").read_text().split())
    views = json.loads((ROOT / "results" / "identity.json").read_text())["views"]
    quoted = {
        "Framed anew": "framed",
        "lit anew too": "framed, lit",
        "degraded too": "framed, lit, spoilt",
        "restored by `l2h`": "restored by l2h",
        "by `l2h-pixel`": "restored by l2h-pixel",
        "plain bicubic": "bicubic",
    }
    assert all(
        f"{words} {views[view]['dlib']['auc']:.3f}" in page for words, view in quoted.items()
    )
    assert f"pixels alone score {views['restored by l2h']['pixels']['auc']:.3f}" in page
