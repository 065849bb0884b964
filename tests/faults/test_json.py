"""No JSON that is written holds NaN or infinity, and what reads it knows null as "not measured"."""

import ast
import json
import math
from pathlib import Path

import pytest
import torch

from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.commands.pictures import evaluate_files
from hlgan_lib.data.storage import load_about, write_images
from hlgan_lib.errors import HLError
from hlgan_lib.files import save_json
from hlgan_lib.metrics import feature_cache
from hlgan_lib.reliability.calibration import CALIBRATION, Calibration
from hlgan_lib.study import compare, tables
from hlgan_lib.study.results import load
from hlgan_lib.viz.canvas import blank, save_figure
from tests.helpers import LO
from tests.study.conftest import stored  # noqa: F401 (a fixture)

ROOT = Path(__file__).parents[2]
NAN, INF = math.nan, math.inf


def strict(text):
    """The value of a text in which NaN, Infinity and -Infinity are mistakes."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_all_json_is_written_by_one_function():
    wrong = []
    for folder in ("hlgan_lib", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if ast.unparse(node.func) not in ("json.dump", "json.dumps"):
                    continue
                # A tool that runs without the library (repo_url) says itself that there is no NaN.
                said = any(ast.unparse(k) == "allow_nan=False" for k in node.keywords)
                if not said or (folder == "hlgan_lib" and name != "hlgan_lib/text.py"):
                    wrong.append(f"{name}:{node.lineno}")
    assert wrong == []


def test_the_stored_files_are_json_for_every_program():
    folders = ("results", "figures", "notebooks", "hlgan_lib")
    files = [p for f in folders for end in ("json", "ipynb") for p in (ROOT / f).rglob(f"*.{end}")]
    assert len(files) > 30
    for path in files:
        strict(path.read_text("utf-8"))


def test_save_json(tmp_path):
    save_json(tmp_path / "a.json", {"a": NAN, "b": [INF, (-INF, 1.5)], "c": {"d": NAN}})
    kept = strict((tmp_path / "a.json").read_text())
    assert kept == {"a": None, "b": [None, [None, 1.5]], "c": {"d": None}}


def test_a_line_of_the_log(tmp_path):
    folder = RunFolder(tmp_path)
    entry = {"step": 1, "images": 4, "losses": {"pix": NAN, "gan": 1.0}, "health": []}
    folder.append_log(entry | {"seconds": 1.0, "rate": 4.0, "score": INF})
    strict(folder.log.read_text())
    [read], n_damaged = folder.read_log()
    assert read["losses"] == {"pix": None, "gan": 1.0} and read["score"] is None and not n_damaged
    folder.cut_back(1)
    assert folder.read_log() == ([read], 0)


def test_what_a_faceset_file_says_of_itself(tmp_path):
    with open(tmp_path / "a.npz", "w+b") as file:
        write_images(file, LO.images, LO.names, {"quality": NAN})
    assert load_about(tmp_path / "a.npz")["quality"] is None


def test_the_list_of_figures(tmp_path):
    for name in ("a.png", "b.png"):  # the second reads what the first wrote
        save_figure(blank(1, 1), tmp_path / name, alt="an empty sheet", score=NAN)
    kept = strict((tmp_path / "manifest.json").read_text())
    assert kept["a.png"]["score"] is None and kept["b.png"]["score"] is None


def test_scores_of_equal_pictures(tmp_path):
    LO.save(tmp_path / "a.npz")
    path = tmp_path / "scores.json"
    scores = evaluate_files(
        tmp_path / "a.npz", tmp_path / "a.npz", paired=True, metrics="psnr", json=path
    )
    assert scores["psnr"]["value"] == INF
    assert strict(path.read_text())["psnr"]["value"] is None


def test_an_entry_of_the_cache():
    features = torch.rand(3, 2).double()
    pictures = torch.rand(3, 3, 8, 8)
    feature_cache.cached(pictures, {"strength": NAN}, lambda: features)
    [entry] = feature_cache.folder().glob("*.safetensors")
    n = int.from_bytes(entry.read_bytes()[:8], "little")
    head = strict(entry.read_bytes()[8 : 8 + n])
    assert strict(head["__metadata__"]["about"]) == {"strength": None}
    again = feature_cache.cached(pictures, {"strength": NAN}, lambda: pytest.fail("not kept"))
    assert torch.equal(again, features.float().double())


def test_a_calibration_without_a_number_is_refused_when_it_is_read(tmp_path):
    whole = Calibration.load(CALIBRATION)
    whole.mean[next(iter(whole.mean))] = NAN
    whole.save(tmp_path / "trust.json")
    strict((tmp_path / "trust.json").read_text())
    with pytest.raises(HLError, match="must be float, got NoneType"):
        Calibration.load(tmp_path / "trust.json")


def test_results_of_the_study_and_the_tables_of_them(stored, tmp_path):  # noqa: F811
    stored.save(tmp_path)
    results = load(tmp_path)
    name = next(n for n in results.runs if n.startswith("l2h"))
    run, bicubic = results.runs[name], results.references["bicubic"]
    run["scores"]["camera"]["psnr"]["value"] = INF
    run["psnr_faces"][0] = NAN
    bicubic["scores"]["wild"]["frechet_lite0"]["value"] = NAN
    results.gaps["psnr/pixel/learned"] |= {"mid": NAN, "ratio": None, "note": "no ratio: NaN"}
    results.save(tmp_path)
    strict((tmp_path / "ablation.json").read_text())

    again = load(tmp_path)
    assert math.isnan(again.runs[name]["scores"]["camera"]["psnr"]["value"])
    assert math.isnan(again.runs[name]["psnr_faces"][0])
    assert math.isnan(again.gaps["psnr/pixel/learned"]["mid"])
    for text in (tables.readme_table(again), tables.gap_table(again), compare.markdown(again)):
        assert "not measured" in text
        assert "nan" not in text
    assert "not measured" in tables.findings(again)
    compare.write(again, tmp_path)
    kept = strict((tmp_path / "compare.json").read_text())
    assert kept["tests"]["wild"]["bicubic"]["frechet_lite0"]["value"] is None
