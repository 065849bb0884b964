"""The walls between core and wings hold; each contract sees the import that it forbids."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
# contract, a file of the package, and a line that has no place in it
WRONG = [
    ("reading-order", "config.py", "from .data.faces import FaceSet"),
    ("no-circles", "degradations/optics.py", "from .camera import Camera"),
    ("core", "training/ticks.py", "from ..viz.faces import face_grid"),
    ("core", "inference.py", "def late():\n    from .study.results import load"),
    ("cli", "cli.py", "from .metrics.evaluation import evaluate"),
    ("metrics", "metrics/pairs.py", "import matplotlib"),
    ("metrics", "metrics/pairs.py", "from ..viz.charts import bars"),
    ("viz", "viz/card.py", "from ..reliability.risk import RiskCurve"),
    ("tasks", "tasks/base.py", "from ..analysis.spectrum import statistics"),
    ("analysis", "analysis/validation.py", "from ..training import train"),
    ("study", "study/figures.py", "from .train_all import train_all"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package's modules and its contracts, apart from this checkout."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(
        ROOT / "hlgan_lib",
        folder / "hlgan_lib",
        ignore=lambda at, names: [
            n
            for n in names
            if not n.endswith(".py") and not Path(at, n).is_dir() or n == "__pycache__"
        ],
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    code = (
        "import sys; from importlinter.cli import lint_imports_command; "
        "lint_imports_command(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )


def test_every_contract_is_kept_and_has_an_import_that_breaks_it(copy):
    ran = lint(copy)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {contract for contract, _, _ in WRONG} == {c["id"] for c in CONTRACTS}


@pytest.mark.parametrize(("contract", "file", "line"), WRONG)
def test_a_wrong_import_breaks_its_contract(copy, contract, file, line):
    path = copy / "hlgan_lib" / file
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        ran = lint(copy, "--contract", contract)
    finally:
        path.write_text(before)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "0 kept, 1 broken" in ran.stdout and f".{Path(file).stem} " in ran.stdout


def test_commands_and_runtime_import_no_torch():
    modules = (
        "runtime",
        "cli",
        "commands.basic",
        "commands.bench",
        "commands.train",
        "commands.study",
        "commands.console",
    )
    code = (
        "; ".join(f"import hlgan_lib.{m}" for m in modules)
        + "; import sys; assert 'torch' not in sys.modules"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr


SPEAKS = {"HLError", "warn", "warning", "info", "Check"}  # what a user reads comes from these


def spoken(path: Path) -> list[str]:
    """The texts of a module's errors, warnings, log lines and health checks."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in SPEAKS:
            inner = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            texts.append(" ".join(text for text in inner if isinstance(text, str)))
    return texts


def test_the_core_speaks_of_images_not_of_faces():
    """It serves any object: only the shipped sets are faces."""
    [core] = [c for c in CONTRACTS if c["id"] == "core"]
    said = []
    for module in core["source_modules"]:
        path = ROOT / module.replace(".", "/")
        files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            if file.name not in ("builtin.py", "cascade.py"):
                said += [(file.name, text) for text in spoken(file)]
    assert len(said) > 100
    wrong = [(name, t) for name, t in said if re.search(r"\bfaces?\b(?!:)|\bpeople\b", t)]
    assert not wrong
