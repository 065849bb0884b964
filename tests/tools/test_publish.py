"""tools/results/publish.py: weights are written once, hashes are those of the files, marks hold."""

import hashlib
import importlib.util
import json
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.checkpoint import save_weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "results" / "publish.py"
    spec = importlib.util.spec_from_file_location("publish", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(path, value, **notes):
    save_weights(path, {"w": torch.full((2,), value)}, "h2l", hl.preset("smoke"), notes)
    return path


def test_the_same_weights_stay_as_they_are(tool, tmp_path):
    shipped = weights(tmp_path / "h2l.safetensors", 1.0, run="a")
    before = shipped.read_bytes()
    fresh = weights(tmp_path / "h2l.new", 1.0, run="a")
    tool.replace_if_new(shipped, fresh)
    assert shipped.read_bytes() == before and not fresh.exists()


@pytest.mark.parametrize(("value", "run"), [(2.0, "a"), (1.0, "b")])
def test_other_weights_or_another_run_take_their_place(tool, tmp_path, value, run):
    shipped = weights(tmp_path / "h2l.safetensors", 1.0, run="a")
    fresh = weights(tmp_path / "h2l.new", value, run=run)
    new = fresh.read_bytes()
    tool.replace_if_new(shipped, fresh)
    assert shipped.read_bytes() == new and not fresh.exists()


def test_hashes_are_those_of_the_files_and_too_much_is_refused(tool, tmp_path, monkeypatch):
    path = weights(tmp_path / "h2l.safetensors", 1.0)
    tool.weigh(tmp_path)
    hashes = json.loads((tmp_path / "hashes.json").read_text())
    assert hashes == {"h2l": hashlib.sha256(path.read_bytes()).hexdigest()}
    monkeypatch.setattr(tool, "MAX_MB", 0)
    with pytest.raises(SystemExit, match="ship fewer or narrower"):
        tool.weigh(tmp_path)


def test_only_what_stands_between_the_marks_is_rewritten(tool, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- results:begin -->\nold\n<!-- results:end -->\nbelow\n")
    tool.between_marks(page, "new")
    assert page.read_text() == "above\n<!-- results:begin -->\nnew\n<!-- results:end -->\nbelow\n"
