"""Static rules for every notebook (the house style, as far as a machine can check it).

Execution is nbval's part.
"""

import ast
import base64
import io
import json
import os
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))
import repo_url  # noqa: E402
import student  # noqa: E402

PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
PARAMETERS = {"PRESET": "auto", "SEED": 0, "USE_SHIPPED_WEIGHTS": True, "OUT": "runs"}
EXERCISED = ("01", "02", "03", "04", "05", "06", "08", "09")
KINDS = ("Predict", "Complete", "Diagnose")
WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_KB, MAX_LINES, MAX_COLUMNS, MAX_OUTPUT_LINES = 500, 12, 110, 65
MAX_PLAIN = 26  # lines of a whole network in plain PyTorch, cells tagged `plain`
MAX_CELLS = 60  # a lesson of 45 to 50 and its five or six exercises

LESSONS = PATHS[1:]  # 00 is the front door: shorter, and nothing is trained in it
each = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(nb):
    return [c for c in nb.cells if c.cell_type == "code"]


def prose(nb):
    return [c for c in nb.cells if c.cell_type == "markdown"]


def tagged(nb, tag):
    return [c for c in nb.cells if tag in c.metadata.get("tags", [])]


def outputs(nb):
    return [(c, o) for c in code(nb) for o in c.outputs]


def pictures(nb):
    return [
        (c, o, kind)
        for c, o in outputs(nb)
        for kind in o.get("data", {})
        if kind.startswith("image/")
    ]


def starting(nb, text):
    return [c for c in prose(nb) if text in c.source]


def test_the_course_begins_with_data_and_high_to_low():
    assert [p.stem for p in PATHS][:3] == ["00_first_face", "01_data", "02_high_to_low_gan"]
    numbers = [p.stem.partition("_")[0] for p in PATHS]
    assert numbers == ["00", "01", "02", "03", "04", "05", "05b", "06", "07", "08", "09"]


@each
def test_valid_and_free_of_widget_state_and_of_this_machine(path):
    nb = read(path)
    nbformat.validate(nb)
    assert "widgets" not in nb.metadata
    assert set(nb.metadata) <= {"kernelspec", "language_info", *repo_url.GPU}
    assert nb.metadata.items() >= repo_url.GPU.items(), "run: make repo-url"
    assert nb.metadata.kernelspec.name == "python3"
    assert not any(WIDGET in o.get("data", {}) for _, o in outputs(nb))
    assert all(set(c.metadata) <= {"tags"} for c in nb.cells)
    text = "\n".join([c.source for c in nb.cells] + [json.dumps(o) for _, o in outputs(nb)])
    text = re.sub(r'"image/(png|jpeg)": "[^"]*"', "", text)
    found = re.findall(r"/(?:home|root|work|tmp|Users|mnt|usr|opt)/[\w./-]*|[A-Z]:\\\\", text)
    assert not found, f"paths of a machine: {found[:3]}"
    assert "DisplayHandle" not in text, "end the line of viz.show with a semicolon"
    assert "\u001b[" not in text and "it/s]" not in text and "img/s]" not in text


def lines_of(cell):
    return len([line for line in cell.source.splitlines() if line.strip()])


@each
def test_small_enough_to_host(path):
    assert os.path.getsize(path) <= MAX_KB * 1024
    nb = read(path)
    assert len(nb.cells) <= MAX_CELLS
    plain = tagged(nb, "plain")
    sizes = [lines_of(c) for c in code(nb)[1:] if c not in plain]
    assert max(sizes) <= MAX_LINES and sum(sizes) / len(sizes) <= 8
    assert all(lines_of(c) <= MAX_PLAIN for c in plain)
    assert len({c.id for c in nb.cells}) == len(nb.cells)
    long = [line for c in code(nb) for line in c.source.splitlines() if len(line) > MAX_COLUMNS]
    assert not long, f"code that scrolls sideways: {long[:2]}"


@each
def test_head(path):
    nb = read(path)
    title, able, setup, parameters, lesson = nb.cells[:5]
    assert re.match(r"# \S", title.source) and "**At a glance**" in title.source
    assert able.source.startswith("**You will be able to**")
    assert 3 <= len(re.findall(r"^- ", able.source, re.M)) <= 5
    assert setup.cell_type == parameters.cell_type == lesson.cell_type == "code"
    assert f'notebook.at_a_glance("{path.stem}")' in lesson.source
    assert "notebook.setup(PRESET, SEED, OUT)" in lesson.source
    assert nb.cells[5].source.startswith("## The result first")
    assert nb.cells[6].cell_type == "code"


@each
def test_set_up_cell_is_the_same_everywhere_and_leaves_torch_alone(path):
    setup = read(path).cells[2].source
    assert setup == repo_url.setup_cell(repo_url.stored()), "run: make repo-url"
    assert (
        len(setup.splitlines()) <= 15 and max(map(len, repo_url.SETUP.splitlines())) <= MAX_COLUMNS
    )
    compile(setup, "set-up", "exec")
    pinned = setup[setup.index("torch_as_it_is") :]
    assert '("torch", "torchvision")' in pinned and "*torch_as_it_is" in pinned
    assert "upgrade" not in setup and "-U" not in setup


@each
def test_parameters_are_literals_with_the_agreed_defaults(path):
    cells = tagged(read(path), "parameters")
    assert len(cells) == 1
    body = ast.parse(cells[0].source).body
    assert all(isinstance(s, ast.Assign) and len(s.targets) == 1 for s in body)
    assert {s.targets[0].id: ast.literal_eval(s.value) for s in body} == PARAMETERS


@each_lesson
def test_a_lesson_is_long_enough_to_teach_and_ends_with_a_recap(path):
    nb = read(path)
    assert len(nb.cells) >= 25 and len(pictures(nb)) >= 4
    assert (
        len(starting(nb, "**What you should see.**")) >= 4 and len(starting(nb, "Predict.**")) >= 2
    )
    assert tagged(nb, "instructor")
    assert nb.cells[-1].source.startswith("## Recap") and "**References**" in nb.cells[-1].source


@each
def test_every_experiment_is_framed(path):
    nb = read(path)
    see = starting(nb, "**What you should see.**")
    assert see and see == starting(nb, "**If you see something else.**")
    kinds = [(c.cell_type, c) for c in nb.cells]
    for cell in see:
        before = kinds[nb.cells.index(cell) - 1][0]
        assert before == "code", f"nothing to see before: {cell.source[:60]}"
    for i, cell in enumerate(nb.cells):
        if "**Predict.**" in cell.source:
            assert any(c.cell_type == "code" for c in nb.cells[i + 1 : i + 3]), (
                "a prediction with no experiment after it"
            )
    assert all(
        c.cell_type == "markdown" and c.source.startswith("**Discuss.**")
        for c in tagged(nb, "instructor")
    )
    assert len(tagged(nb, "headline")) == 1


def attempts(cell):
    """The calls of notebook.attempt in a cell."""
    calls = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Call)]
    return [n for n in calls if ast.unparse(n.func) == "notebook.attempt"]


@each
def test_exercises_are_few_and_mixed(path):
    nb = read(path)
    asked = [i for i, c in enumerate(nb.cells) if c.source.startswith("**Exercise")]
    heads = [re.match(r"\*\*Exercise (\d+) · (\w+)\.\*\* \S", nb.cells[i].source) for i in asked]
    assert all(heads), "an exercise starts with **Exercise N · KIND.** and its task"
    assert [int(h[1]) for h in heads] == list(range(1, len(heads) + 1)) and {
        h[2] for h in heads
    } <= set(KINDS)
    assert [nb.cells[i + 1] for i in asked] == tagged(nb, "solution"), (
        "after each exercise its own cell, and no other"
    )
    if path.stem.partition("_")[0] in EXERCISED:
        assert 4 <= len(asked) <= 6 and {h[2] for h in heads} == set(KINDS)


@each
def test_solutions_pass(path):
    for cell in tagged(read(path), "solution"):
        assert "Passed" in "".join(o.get("text", "") for o in cell.outputs), (
            f"does not pass: {cell.source[:60]}"
        )


@each
def test_an_exercise_is_one_answer_that_can_be_left_out(path):
    """What is passed to attempt is what the student fills in.

    Unfilled, it says "not tried yet" and the run goes on.
    """
    for cell in tagged(read(path), "solution"):
        (call,) = attempts(cell)
        mine, _, check = map(ast.unparse, call.args)
        assert ".check_" in check, "hints live in the library, where they are tested"
        blanked = ast.parse(student.blank(cell.source)).body
        unfilled = [
            s.targets[0].id
            for s in blanked
            if isinstance(s, ast.Assign) and ast.unparse(s.value) == "..."
        ]
        unfilled += [
            s.name
            for s in blanked
            if isinstance(s, ast.FunctionDef)
            and "raise NotImplementedError" in map(ast.unparse, s.body)
        ]
        assert unfilled == [mine], (
            "one answer, named as it is passed, and no line that raises outside of a function"
        )
        comments = [line for line in cell.source.splitlines() if "# solution" in line]
        assert all(line.endswith(student.MARK) for line in comments)


def test_a_copy_lies_one_folder_deeper():
    cell = {"cell_type": "markdown", "metadata": {}, "source": "[words](../docs/glossary.md)"}
    copy = student.student({"cells": [cell]})
    assert copy["cells"][0]["source"] == ["[words](../../docs/glossary.md)"]
    assert (student.COPIES / "../../docs/glossary.md").resolve().is_file()


@pytest.mark.parametrize("path", PATHS[2:5], ids=lambda p: p.stem)
def test_the_words_are_the_field_s_and_the_glossary_is_linked(path):
    nb = read(path)
    assert "](../docs/glossary.md)" in nb.cells[0].source
    text = "\n".join(c.source for c in prose(nb))
    assert not re.findall(
        r"\b(?:piles?|poor|sharp|shots?(?! noise)|truth(?<!ground truth))\b", text
    )


@each
def test_the_students_copy_is_up_to_date(path):
    assert path.name not in student.stale(), "run make student"


@each_lesson
def test_code_states_what_must_be_true_and_draws_through_viz(path):
    nb = read(path)
    source = "\n\n".join(c.source for c in code(nb))
    tree = ast.parse(source)
    assert sum(isinstance(n, ast.Assert) for n in ast.walk(tree)) >= 3
    assert "plt." not in source and "pyplot" not in source, (
        "pictures go through viz.show, which keeps their alt text"
    )
    assert "show_source(" in source, "library code is shown by show_source"
    assert not any(isinstance(n, ast.ExceptHandler) and n.type is None for n in ast.walk(tree))
    assert not any(line.lstrip().startswith(("!", "%")) for line in source.splitlines())


@cache
def defined_in_the_library():
    names = set()
    for file in (ROOT / "hlgan_lib").rglob("*.py"):
        body = ast.parse(file.read_text()).body
        names |= {n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return names


@each
def test_no_library_function_is_pasted(path):
    """No definition of a notebook has the name of a public one of the library."""
    tree = ast.parse("\n\n".join(c.source for c in code(read(path))))
    mine = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    assert not mine & defined_in_the_library()


@each
def test_outputs_are_kept_in_order_and_without_errors(path):
    nb = read(path)
    assert [c.execution_count for c in code(nb)] == list(range(1, len(code(nb)) + 1)), (
        "execute it from top to bottom"
    )
    assert not any(o.output_type == "error" for _, o in outputs(nb))
    for cell, o in outputs(nb):
        text = o.get("text") or o.get("data", {}).get("text/plain", "")
        assert text.count("\n") <= MAX_OUTPUT_LINES, (
            f"{text.count(chr(10))} lines printed by: {cell.source[:60]}"
        )


@each
def test_what_is_printed_is_a_sentence_or_a_table(path):
    """No dictionary, tensor or warning as Python writes them; minutes where they are stored."""
    printed = [o.text for _, o in outputs(read(path)) if o.output_type == "stream"]
    raw = re.findall(r".*(?:\{'|\[\(|\('|tensor\(|array\(|Warning:).*", "".join(printed))
    assert not raw, f"as Python writes it: {raw[:2]}"
    stored = json.loads((ROOT / "results" / "timings.json").read_text())["notebooks"]
    assert path.stem not in stored or "Run all, measured" in "".join(printed), "execute it again"


@each
def test_shown_source_is_the_library_s_and_ends_its_cell(path):
    """In the middle of a cell nothing is shown; and what is stored must not be older."""
    nb = read(path)
    for cell in code(nb):
        calls = [line for line in cell.source.splitlines() if "show_source(" in line]
        assert not calls or calls == cell.source.splitlines()[-1:], f"not the last line: {calls}"
    for _, o in outputs(nb):
        text = o.get("data", {}).get("text/plain", "")
        where = re.match(r"# (hlgan_lib/\S+\.py): (\S.*)\n", text)
        if where:
            library = bare((ROOT / where[1]).read_text())
            shown = re.split(r"\n\n(?=def |class |@)", text[where.end() :])
            assert all(bare(part) in library for part in shown), (
                f"stored source of {where[2]} is older than the library: execute it again"
            )


def bare(source):
    """Source without its indents: a method is shown without."""
    return "\n".join(line.strip() for line in source.strip().splitlines())


@each
def test_every_picture_has_alt_text_and_opens(path):
    said = []
    for cell, o, kind in pictures(read(path)):
        alt = o.metadata.get(kind, {}).get("alt", "")
        assert len(alt) >= 20, f"no alt text: {cell.source[:60]}"
        said.append(alt)
        image = Image.open(io.BytesIO(base64.b64decode(o.data[kind])))
        assert 200 <= image.width <= 1200, f"{image.width} pixels wide: {cell.source[:60]}"
    inline = re.findall(
        r"!\[([^\]]*)\]\(|<img(?![^>]*alt=)", "\n".join(c.source for c in prose(read(path)))
    )
    assert all(len(alt) >= 10 for alt in inline), "a picture in prose without alt text"
    assert len(set(said)) == len(said), (
        "two pictures share their alt text: it does not tell them apart"
    )


@each
def test_standard_words_and_the_glossary(path):
    """HR, LR, ground truth, dataset, baseline: the words of the field, one for each thing."""
    nb = read(path)
    said = "\n".join(c.source for c in prose(nb))
    said = re.sub(r"`[^`]*`|real poor faces", "", said)  # names of code; a heading of the paper's
    said += "".join(o.metadata.get(kind, {}).get("alt", "") for _, o, kind in pictures(nb))
    found = re.findall(
        r"\b(?:piles?|poor|sharp|rivals?|rulers?|dice|shots?(?! noise))\b", said, re.I
    )
    assert not found, f"words of our own: {found}"
    assert "docs/glossary.md)" in said


@each
def test_prose_holds_no_result_that_training_would_change(path):
    """Scores live in results/ and in outputs.

    A distance, dB or minutes in prose drifts from what the code gives.
    """
    text = "\n".join(c.source for c in prose(read(path)))
    assert not re.findall(r"\d+(?:\.\d+)? ?(?:dB|minutes on)", text)
