"""What is shipped: one version, data inside the wheel, a small tree, no trace of the machine it was made on."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

import hlgan_lib

ROOT = Path(__file__).parents[1]
TEXT = {".py", ".md", ".ipynb", ".toml", ".yml", ".json", ".cff", ".csv", "", ".cfg", ".txt"}
# An absolute path of somebody's machine: not part of a URL or of a longer relative path.
MACHINE = re.compile(r"(?<![\w.:/~-])/(?:home|Users|root|work|tmp/(?:ipykernel|w/|pytest))[/_]?[\w.]*")


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks, or would (not ignored)."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return tuple(p for name in sorted(set(listed.stdout.decode().split("\0")) - {""}) if (p := ROOT / name).is_file())


def written_version() -> str:
    return re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def test_one_version_everywhere():
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)[1] == written_version()
    try:
        installed = importlib.metadata.version("hlgan_lib")
    except importlib.metadata.PackageNotFoundError:
        assert hlgan_lib.__version__ == "0+source"
    else:
        assert hlgan_lib.__version__ == installed == written_version(), "make install again after a change of version"


def test_environment_yml_repeats_no_requirement():
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text().splitlines()]
    wanted = lines[lines.index("dependencies:") + 1:]
    assert wanted == ["- python>=3.10", "- pip", "- pip:", "- -e .[all]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the tree: a build leaves nothing here."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in ("hlgan_lib", "pyproject.toml", "README.md", "LICENSE", "LICENSE-DATA"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, source / name)
    built = subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
                            "--disable-pip-version-check", "-w", str(out), str(source)], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = out.glob("*.whl")
    return path


def test_wheel_holds_the_shipped_data_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {p.relative_to(ROOT).as_posix() for p in tracked() if p.is_relative_to(ROOT / "hlgan_lib")}
    assert inside == package
    assert any(name.startswith("hlgan_lib/faces/") for name in inside)


def test_wheel_carries_both_licences_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        info = {name.split(".dist-info/")[1]: name for name in archive.namelist() if ".dist-info/" in name}
        assert {"licenses/LICENSE", "licenses/LICENSE-DATA"} <= set(info)
        assert "hlgan = hlgan_lib.cli:main" in archive.read(info["entry_points.txt"]).decode()
        metadata = archive.read(info["METADATA"]).decode()
    assert not re.search(r"^Requires-Dist: (torch|torchvision|numpy)\b[^;\n]*(==|<|~=|\+cpu)", metadata, re.M)


def test_faces_load_from_an_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import hlgan_lib as hl; print(hl.__file__, len(hl.load_faces('faces:val').hi))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [str(tmp_path / "site" / "hlgan_lib" / "__init__.py"), "200"]


def test_sizes():
    size = {p.relative_to(ROOT).as_posix(): p.stat().st_size / 1e6 for p in tracked()}
    assert sum(size.values()) < 60
    assert sum(mb for name, mb in size.items() if name.startswith("hlgan_lib/faces/")) <= 20
    assert sum(mb for name, mb in size.items() if name.startswith("hlgan_lib/weights/")) <= 25


def test_no_checkpoint_is_tracked():
    assert [p for p in tracked() if p.suffix in (".pt", ".pth", ".pkl", ".ckpt")] == []


def machine_paths(path: Path) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {found[0]}" for found in MACHINE.finditer(path.read_text(encoding="utf-8"))]


def test_no_path_of_a_machine():
    assert MACHINE.search("saved to /home/ann/runs") and MACHINE.search('"/tmp/ipykernel_12/3.py"')
    assert not MACHINE.search("https://example.org/home/a and a/work/b")
    texts = [p for p in tracked() if p.suffix in TEXT and p != Path(__file__)]
    assert [hit for p in texts for hit in machine_paths(p)] == []


def test_package_tests_and_notebooks_do_without_what_is_not_in_the_repository():
    outside = "../" + "shared"
    checked = [p for p in tracked() if p.relative_to(ROOT).parts[0] in ("hlgan_lib", "tests", "notebooks")
               and p.suffix in (".py", ".ipynb")]
    assert len(checked) > 20
    assert [p.name for p in checked if outside in p.read_text(encoding="utf-8")] == []


def test_the_table_of_recipes_is_the_stored_one():
    stored = json.loads((ROOT / "results" / "h2l_recipes.json").read_text())["recipes"]
    page = (ROOT / "docs" / "paper.md").read_text()
    table = [line for line in page.split("| H2L | PSNR dB |")[1].splitlines()[2:] if line.startswith("|")]

    def cell(value, form: str) -> str:
        return "" if value is None else f" {value:{form}}"

    def row(r: dict) -> str:
        bold = "**" if r["h2l"].startswith("**") else ""
        rest = f"{cell(r['frechet_lite0'], '.0f')} |{cell(r['read'], '.2f')} |"
        return f"| {r['h2l']} | {bold}{r['psnr']:.2f}{bold} |{rest}"

    assert table == [row(r) for r in stored]


def test_the_findings_quote_what_is_stored():
    page = " ".join((ROOT / "docs" / "findings.md").read_text().split())
    longer, earlier = (json.loads((ROOT / "results" / f"{name}.json").read_text()) for name in ("h2l_longer",
                                                                                                "earlier_study"))
    near, far = longer["frechet_to_shots"][1], longer["frechet_to_shots"][0]
    assert f"(Frechet {near:.1f} instead of {far:.1f})" in page
    assert f"({longer['l2h_psnr'][1]:.2f} instead of {longer['l2h_psnr'][0]:.2f} dB" in page
    low, high = earlier["share_ci"]
    assert f"closed {earlier['share_closed']:.0%}".replace("%", " %") in page
    assert f"({100 * low:.0f} to {100 * high:.0f} %)" in page


def test_the_tables_of_readme_and_findings_are_those_of_the_stored_results():
    from hlgan_lib.evidence import load
    from hlgan_lib.tables import findings, readme_table

    stored = load(ROOT / "results")
    for page, text in (("README.md", readme_table(stored)), ("docs/findings.md", findings(stored))):
        assert text in (ROOT / page).read_text(), f"{page}: run tools/publish.py"


def test_the_metrics_page_quotes_the_identity_trial():
    page = " ".join((ROOT / "docs" / "metrics.md").read_text().split())
    views = json.loads((ROOT / "results" / "identity.json").read_text())["views"]
    quoted = {"Framed anew": "framed", "lit anew too": "framed, lit", "spoilt too": "framed, lit, spoilt",
              "restored by `l2h`": "restored by l2h", "by `l2h-pixel`": "restored by l2h-pixel",
              "plain bicubic": "bicubic"}
    assert all(f"{words} {views[view]['dlib']['auc']:.3f}" in page for words, view in quoted.items())
    assert f"pixels alone score {views['restored by l2h']['pixels']['auc']:.3f}" in page
