"""What the notebooks share: set-up, stored numbers, source, exercises, live training, sliders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import notebook
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import reruns

FACES = {"hi": hl.load_faces("faces:train-hi")[:12], "lo": hl.load_faces("faces:train-lo")[:12]}


def test_auto_is_the_variable_then_quick_with_or_without_a_gpu(monkeypatch):
    for gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        assert notebook.resolve_preset("auto") == "quick"
    monkeypatch.setenv("HLGAN_PRESET", "smoke")
    assert notebook.resolve_preset("auto") == "smoke"
    assert notebook.resolve_preset("study") == "study", "nothing overrides a preset that is named"
    with pytest.raises(HLError, match="preset must be one of"):
        notebook.resolve_preset("fast")


def test_setup_gives_a_lesson_and_says_so(tmp_path, capsys):
    lesson = notebook.setup("smoke", 3, tmp_path / "runs")
    assert (
        lesson.cfg == hl.preset("smoke").replace(seed=3)
        and lesson.out.is_dir()
        and lesson.seed == 3
    )
    assert "preset smoke" in capsys.readouterr().out
    a, b, c = (torch.rand(1, generator=lesson.generator(k)) for k in (1, 1, 2))
    assert a == b != c


def test_hello_names_versions_and_how_to_get_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    notebook.hello()
    said = capsys.readouterr().out
    assert hl.__version__ in said and torch.__version__.partition("+")[0] in said
    assert "Colab" in said and "Kaggle" in said


def test_fresh_removes_a_run_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    list(hl.train(hl.preset("smoke").replace(h2l_steps=1, n_val=2), "h2l", out=run, **FACES))
    assert reruns.fresh(run) == run and not run.exists()
    other = tmp_path / "photographs"
    other.mkdir()
    (other / "me.jpg").write_text("dear to somebody")
    with pytest.raises(HLError, match="holds other files"):
        reruns.fresh(other)
    assert (other / "me.jpg").exists()
    assert reruns.fresh(tmp_path / "new") == tmp_path / "new"


def test_weights_are_the_shipped_ones_or_those_of_the_run(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    list(hl.train(hl.preset("smoke").replace(h2l_steps=1, n_val=2), "h2l", out=run, **FACES))
    shipped = tmp_path / "mine.safetensors"
    shipped.write_bytes((run / "weights.safetensors").read_bytes())
    for module in ("hlgan_lib.inference", "hlgan_lib.notebook"):
        monkeypatch.setattr(f"{module}.shipped_weights", lambda: {"mine": shipped})
    assert isinstance(notebook.weights("mine", True, run), hl.networks.LearnedCamera)
    assert "shipped" in capsys.readouterr().out
    notebook.weights("mine", False, run)
    assert str(run) in capsys.readouterr().out
    notebook.weights("other", True, run)
    assert "no shipped weights" in capsys.readouterr().out


def test_results_come_from_the_clone_or_say_where_they_are(tmp_path, monkeypatch, capsys):
    assert notebook.results("h2l") is None
    assert "results/h2l.json is not here" in capsys.readouterr().out
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "h2l.json").write_text('{"n": 3}')
    assert notebook.results("h2l") == {"n": 3}
    monkeypatch.delenv("HLGAN_RESULTS")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert notebook.results("h2l") == {"n": 3}


def test_at_a_glance_reads_the_minutes(tmp_path, capsys):
    notebook.at_a_glance("01_data")
    assert "not measured" in capsys.readouterr().out
    (tmp_path / "results").mkdir()
    timings = {"notebooks": {"01_data": {"2 CPU cores": 1.25, "T4": 0.5}}}
    (tmp_path / "results" / "timings.json").write_text(json.dumps(timings))
    notebook.at_a_glance("01_data")
    assert (
        capsys.readouterr().out
        == "Run all, measured: 1.2 minutes on 2 CPU cores; 0.5 minutes on T4\n"
    )


def test_show_source_is_the_library_s_own_text():
    shown = notebook.show_source(hl.losses.hinge_d)
    assert repr(shown).startswith("# hlgan_lib/losses.py: hinge_d\ndef hinge_d(")
    assert "F.relu(1 - score_real)" in shown.text
    page = shown._repr_html_()
    assert "hlgan_lib/losses.py" in page and "<span" in page and str(Path.cwd()) not in page
    assert page.count("#") == page.count(", #"), (
        "every colour is the theme's first, and has one for other places"
    )
    assert page.count("mirror-editor-number-color, #7A5200") == 2, "the two ones of the loss"
    assert notebook.show_source(hl.Camera.shoot).text.startswith("def shoot"), (
        "a method loses its indent"
    )
    two = notebook.show_source(hl.Camera.draw, hl.Camera.shoot)
    assert two.text.index("def draw") < two.text.index("\n\ndef shoot")
    assert two.where == "hlgan_lib/degradations/camera.py: Camera.draw, Camera.shoot"
    with pytest.raises(HLError, match="needs a function"):
        notebook.show_source(3)


def test_the_package_starts_without_matplotlib_and_ipython():
    code = (
        "import sys, hlgan_lib; print([m for m in ('matplotlib', 'IPython', "
        "'ipywidgets') if m in sys.modules])"
    )
    env = os.environ | {"PYTHONPATH": str(Path(notebook.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout.strip() == "[]"
