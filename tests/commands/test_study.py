"""The commands of many trainings: what they refuse, what they say, and that a stop is passed on."""

import json

import pytest

from hlgan_lib import cli
from hlgan_lib.commands import study
from hlgan_lib.study import ablation, compare, results
from hlgan_lib.study.train_all import Outcome
from tests.helpers import refused

ABOUT = {
    "test": "faces:test",
    "n": 600,
    "hardware": "a machine",
    "floors": {"frechet_lite0": 15.0, "kernel_lite0": 0.1},
}
PLAN = ["--preset", "smoke", "--out"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["ablate", *PLAN, "x", "--only", "fog-gan"], "--only must name cells"),
        (["ablate", *PLAN, "x", "--seeds", "0"], "--seeds must be 1 or more, got 0"),
        (
            ["ablate", *PLAN, "x", "--only", "d-aug", "--jobs", "0"],
            "--jobs must be 1 or more, got 0",
        ),
        (["compare", *PLAN, "x", "--seeds", "0"], "--seeds must be 1 or more, got 0"),
        (
            ["figures", "--results", "nowhere", "--out", "x"],
            "no stored results at nowhere/ablation.json",
        ),
        (["figures"], "missing: --out"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_wrong_calls_end_in_one_line(argv, words, in_tmp, capsys):
    assert words in refused(argv, capsys)
    assert not (in_tmp / "x" / "runs").exists()


def test_results_of_another_preset_are_refused_before_training(in_tmp, capsys):
    results.Stored({"preset": "study"} | ABOUT).save(in_tmp / "x")
    shown = refused(["ablate", *PLAN, "x", "--only", "d-aug"], capsys)
    assert "holds results of preset study, got --preset smoke" in shown


def test_what_became_of_a_plan_is_said(in_tmp, capsys, monkeypatch):
    became = Outcome(["a"], {"l2h-1": "out of luck"})
    monkeypatch.setattr(ablation, "ablate", lambda *a, **k: became)
    shown = refused(["ablate", *PLAN, "x"], capsys)
    assert "1 runs failed, l2h-1 first: out of luck" in shown and "x/logs" in shown
    became.failed.clear()
    assert cli.main(["ablate", *PLAN, "x"]) == 0
    assert "1 runs are finished and scored: x/ablation.json" in capsys.readouterr().out


def test_a_stopped_plan_says_how_to_go_on_without_a_flag_of_its_own(in_tmp, capsys, monkeypatch):
    def stopped(*_, stop, **__):
        stop.signal = 15
        return Outcome(stopped=True)

    monkeypatch.setattr(ablation, "ablate", stopped)
    assert cli.main(["ablate", *PLAN, "x"]) == 143
    assert "go on with: hlgan ablate --preset smoke --out x\n" in capsys.readouterr().out


def test_ablate_and_figures_from_nothing_to_pictures(in_tmp, capsys):
    assert cli.main(["ablate", *PLAN, "x", "--only", "bilinear-pixel", "--seeds", "1"]) == 0
    stored = json.loads((in_tmp / "x/ablation.json").read_text())
    assert len(stored["runs"]) == 1 and stored["about"]["n"] == ablation.N_SMOKE
    assert cli.main(["figures", "--results", "x", "--out", "figs"]) == 0
    shown = capsys.readouterr().out
    drawn = {path.name for path in (in_tmp / "figs").glob("[!.]*")}
    assert shown.count("wrote figs/") == len(drawn - {"manifest.json"}) >= 1


def test_compare_prints_the_table_that_it_wrote(in_tmp, capsys, monkeypatch):
    def compared(preset_name, out, **_):
        out.mkdir(exist_ok=True)
        (out / "compare.md").write_text("| method | PSNR |")
        return Outcome(["a"])

    monkeypatch.setattr(compare, "compare", compared)
    assert cli.main(["compare", *PLAN, "x"]) == 0
    assert "1 runs are finished" in (said := capsys.readouterr().out)
    assert said.endswith("| method | PSNR |\n")


def test_figures_of_an_installed_library_are_drawn_from_any_results(in_tmp, capsys, monkeypatch):
    installed = in_tmp / "site-packages" / "hlgan_lib" / "commands" / "study.py"
    monkeypatch.setattr(study, "__file__", str(installed))  # a wheel holds no results/
    said = refused(["figures", "--out", "figures"], capsys)
    assert "no stored results at results/ablation.json" in said and "--results of a clone" in said
    results.Stored({"preset": "smoke"} | ABOUT).save(in_tmp / "kept")
    assert cli.main(["figures", "--results", "kept", "--out", "figures"]) == 0
    assert (in_tmp / "figures" / "tables.md").is_file()
