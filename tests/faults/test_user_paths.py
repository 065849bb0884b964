"""`~` and `~name` are understood wherever a path comes in: commands, functions, tools."""

import ast
import dataclasses
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import hlgan_lib as hl
from hlgan_lib import cli
from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.commands.flags import FACES, WEIGHTS
from hlgan_lib.data.pictures import read_image
from hlgan_lib.data.storage import load_about
from hlgan_lib.errors import HLError
from hlgan_lib.files import user_path
from hlgan_lib.metrics import feature_cache
from hlgan_lib.reliability.calibration import Calibration
from hlgan_lib.study.results import Stored, load
from hlgan_lib.viz.canvas import blank, save_figure
from tests.helpers import LO

ROOT = Path(__file__).parents[2]
NOBODY = "~no-such-person-here"
# Run where the faces themselves are made, without the library.
ALONE = ("tools/faces/make_faces.py", "tools/faces/torchfaces.py")

# What opens, asks for or takes apart a path as it is given.
USERS = "str | Path"
USES = {"Path", "open", "np.load", "torch.load", "Image.open", "zipfile.ZipFile", "os.path.isdir"}
UNDERSTOOD = {"user_path", "out_folder", "checked_out"}


def called(node: ast.AST) -> str:
    """What is called: `open`, `np.load`, or the last part of what is longer."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Name):
        return node.func.id
    if isinstance(node.func, ast.Attribute):
        of = node.func.value
        return f"{of.id if isinstance(of, ast.Name) else ''}.{node.func.attr}"
    return ""


def raw_uses(function: ast.FunctionDef) -> list[str]:
    """Where a parameter of the type `str | Path`, a user's path, is used as it is given."""
    args = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    given = {a.arg for a in args if a.annotation and ast.unparse(a.annotation).startswith(USERS)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and called(node.value) in UNDERSTOOD:
            given -= {ast.unparse(target) for target in node.targets}
    found = []
    for node in ast.walk(function):
        of = node.value if isinstance(node, ast.Attribute) else None
        if isinstance(of, ast.Name) and of.id in given and hasattr(Path, node.attr):
            found.append(ast.unparse(node))
        if called(node) in USES and node.args and ast.unparse(node.args[0]) in given:
            found.append(ast.unparse(node))
    return found


def test_the_check_finds_what_it_looks_for():
    code = "def f(a: str | Path, b: Path, c: str | Path):\n c = user_path(c)\n {}"
    for line in ("Path(a)", "a.parent", "open(a)"):
        assert raw_uses(ast.parse(code.format(line)).body[0]) == [line]
    for line in ("Path(b)", "c.parent", "load_faces(a)", "user_path(a)"):
        assert raw_uses(ast.parse(code.format(line)).body[0]) == []


def test_every_path_of_a_user_passes_through_the_one_helper():
    wrong = []
    for path in sorted((ROOT / "hlgan_lib").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            itself = isinstance(node, ast.FunctionDef) and node.name == "user_path"
            if isinstance(node, ast.FunctionDef) and not itself:
                wrong += [f"{name}, {node.name}: {use}" for use in raw_uses(node)]
            if called(node) == "Path" and "os.environ" in ast.unparse(node):
                wrong.append(f"{name}: {ast.unparse(node)}")
            if called(node).endswith(".expanduser") and name != "hlgan_lib/files.py":
                wrong.append(f"{name}: {ast.unparse(node)}")
    assert wrong == []


def test_every_path_of_a_tool_does():
    for path in sorted((ROOT / "tools").rglob("*.py")):
        if path.relative_to(ROOT).as_posix() not in ALONE:
            assert "type=Path" not in path.read_text("utf-8"), path


# ---- the commands, by the types of their fields --------------------------------------------------
def kinds(commands=cli.COMMANDS, words=()):
    for name, kind in commands.items():
        if isinstance(kind, dict):
            yield from kinds(kind, (*words, name))
        else:
            yield (*words, name), kind


def paths_of(kind) -> list[str]:
    """The fields that take a path: of the type Path, or that say FACES or WEIGHTS in their help."""
    found = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        plain = get_type_hints(kind).get(name)
        is_path = plain is Path or Path in get_args(plain)
        notes = getattr(hint, "__metadata__", ())
        said = " ".join(getattr(note, "documentation", "") for note in notes)
        is_path = is_path or any(getattr(note, "metavar", "") == "PATH" for note in notes)
        if is_path or FACES in said or WEIGHTS in said or name in ("src", "h2l", "l2h"):
            found.append(name)
    return found


# What a command needs beside the one path that is tried; nothing of it takes long to look at.
NEEDED = {
    "src": ".",
    "out": "out",
    "hi": "faces:val:hi",
    "lo": "faces:val:lo",
    "fake": "faces:val:hi",
    "real": "faces:val:hi",
    "weights": "h2l",
    "input": "faces:val:hi",
    "degradation": "bilinear",
    "files": "faces:val",
    "h2l": "h2l",
    "l2h": "l2h",
}
CASES = [
    pytest.param(words, kind, name, id=f"{' '.join(words)} --{name}")
    for words, kind in kinds()
    if words[:2] not in (("prepare", k) for k in ("wider", "celeba", "lfw", "ffhq", "authors"))
    for name in paths_of(kind)
    if words[:2] != ("prepare", "hub") or name != "src"  # a name on the hub, no path
    if words != ("train", "joint") or name != "l2h"  # looked for where --h2l is a finished run
]


def argv_of(words, kind, changed):
    argv, positional = list(words), []
    for field in dataclasses.fields(kind):
        needed = field.default is dataclasses.MISSING
        if field.name not in changed and (not needed or field.name == "cfg"):
            continue
        value = changed.get(field.name) or NEEDED[field.name]
        if "Positional" in str(field.type) or field.name in ("src", "files"):
            positional.append(value)
        else:
            argv += [f"--{field.name.replace('_', '-')}", value]
    return [*argv, *positional]


def changed_by(words, name, value) -> dict[str, str]:
    changed = {name: f"learned:{value}" if name == "degradation" else value}
    if words[0] == "upscale":
        changed |= {"weights": changed.get("weights", "l2h")}
        changed |= {"input": changed.get("input", "faces:val:lo")}
    if words == ("prepare", "paper"):
        changed |= {"celeba": changed.get("celeba", ".")}
    if words[0] == "prepare" and words[1] != "paper" and name != "out":
        changed |= {"out": "out.npz"}
    if words[0] == "export" and name != "out":
        changed |= {"out": "out.onnx"}
    return changed


@pytest.mark.parametrize(("words", "kind", "name"), CASES)
def test_an_unknown_home_is_one_line_of_any_command(words, kind, name, in_tmp, capsys):
    argv = argv_of(words, kind, changed_by(words, name, f"{NOBODY}/x"))
    if words[0] == "upscale" and name == "h2l":
        argv.append("--trust")
    assert cli.main(argv) == 2, argv
    shown = capsys.readouterr().err
    assert f"the home folder in {NOBODY}/x is not known: give the path without the ~" in shown
    assert shown.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def test_the_commands_have_the_paths_that_the_test_tries():
    tried = {f"{' '.join(case.values[0])} {case.values[2]}" for case in CASES}
    assert len(tried) > 50
    assert {"train h2l hi", "train joint h2l", "card weights", "figures results"} <= tried
    assert {"prepare vggface2 poses", "prepare paper wider", "evaluate train"} <= tried


def test_a_command_expands_its_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.parse(["bench", "--out", "~/b"]).out == tmp_path / "b"
    assert cli.parse(["compare", "--out", "~"]).out == tmp_path
    assert cli.parse(["figures", "--results", "~/r", "--out", "f"]).results == tmp_path / "r"


def test_without_a_home_it_is_one_line(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME, no such user
    with pytest.raises(HLError, match="home folder in ~/x is not known"):
        user_path("~/x")


# ---- the functions that people call --------------------------------------------------------------
def test_functions_expand_what_they_are_given(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    LO[:3].save("~/a.npz")
    assert len(hl.load_faces("~/a.npz")) == 3 and load_about("~/a.npz")["sha256"]
    save_figure(blank(1, 1), "~/figures/a.png", alt="an empty sheet")
    assert read_image("~/figures/a.png").size == (100, 100)
    assert RunFolder("~/run").path == tmp_path / "run"
    Stored({"preset": "smoke"}).save("~/study")
    assert (tmp_path / "study" / "ablation.npz").is_file()
    monkeypatch.setenv("HLGAN_CACHE", "~/cache")
    assert feature_cache.folder() == tmp_path / "cache"


@pytest.mark.parametrize(
    "use",
    [
        lambda path: hl.load_faces(path),
        lambda path: hl.load_weights(path),
        lambda path: LO.save(f"{path}.npz"),
        lambda path: RunFolder(path),
        lambda path: Calibration.load(path),
        lambda path: load(path),
        lambda path: read_image(path),
        lambda path: list(hl.train(hl.preset("smoke"), "l2h", degradation=f"learned:{path}")),
    ],
)
def test_an_unknown_home_is_one_line_of_any_function(use):
    with pytest.raises(HLError, match=f"home folder in {NOBODY}/x(.npz)? is not known"):
        use(f"{NOBODY}/x")
