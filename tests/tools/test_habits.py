"""What a contributor is told to run is what runs.

Makefile, commit hooks, hosted workflow and CONTRIBUTING agree.
"""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split()


def recipe(target: str) -> list[str]:
    """The commands of a target, its variables filled in."""
    lines = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)[1].splitlines()
    said = [line.strip().lstrip("@") for line in lines]
    return [line.replace("$(PY)", ".venv/bin/python").replace("$(VENV)", ".venv") for line in said]


def workflow() -> dict:
    return yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())


def test_commit_hooks_are_make_lint_and_need_no_network():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    assert [hook["entry"] for hook in repo["hooks"]] == recipe("lint")
    for hook in repo["hooks"]:
        assert hook["language"] == "system" and hook["pass_filenames"] is False


def test_make_test_is_lint_unit_and_notebooks_and_fast_is_a_part_of_it():
    made = [re.search(r"\$\(MAKE\) .*?(\w+)$", line)[1] for line in recipe("test")]
    assert made == ["lint", "unit", "notebooks"]
    lint, tests = recipe("fast")
    assert lint.endswith(" lint") and "--fast" in tests
    unit = recipe("unit")[0].replace(" --durations 10", "")
    assert tests.replace(" --fast", "") == unit


def test_the_workflow_calls_make_test_with_each_python_and_standard_actions_only():
    job = workflow()["jobs"]["test"]
    assert job["runs-on"].startswith("ubuntu")
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.12"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test PYTHON=python"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


def test_every_target_that_is_named_exists():
    for name in (".ci/run", ".github/workflows/test.yml", "CONTRIBUTING.md", "README.md"):
        text = (ROOT / name).read_text()
        commands = re.findall(r"^(?: {4}|.*run: |exec |.*`(?:\w+=\w+ )?)make ([a-z-]+)", text, re.M)
        assert commands, f"{name} names no target of make"
        assert set(commands) <= set(TARGETS), name
    described = re.findall(r'"make ([a-z-]+) ', MAKEFILE)
    assert set(described) <= set(TARGETS) and {"test", "fast"} <= set(described)


def test_paths_in_contributing_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:hlgan_lib|tests|tools|docs)/[\w./]*\w/?)`", text)
    assert len(paths) > 15
    missing = [p for p in paths if "NAME" not in p and not (ROOT / p).exists()]
    assert not missing


def test_every_test_that_fast_leaves_out_is_there():
    listing = re.search(
        r'LONG = frozenset\(\s+"""(.*?)"""', (ROOT / "tests/conftest.py").read_text(), re.S
    )
    files = list((ROOT / "tests").rglob("test_*.py"))
    defined = {
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }
    for file in files:
        place = file.relative_to(ROOT / "tests")
        defined |= {place.as_posix(), place.parent.as_posix()}
    named = set(listing[1].split())
    assert len(named) > 10
    assert not named - defined, "renamed or gone: mend the list in tests/conftest.py"
