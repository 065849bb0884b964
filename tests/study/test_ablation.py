"""Stored results: what is scored is found again, by cell and seed; every figure draws exactly what is stored."""

import json
import time

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from hlgan_lib import LowToHigh
from hlgan_lib.checkpoint import save_weights
from hlgan_lib.errors import HLError
from hlgan_lib.files import save_json
from hlgan_lib.networks.paper import HighToLow
from hlgan_lib.runtime import one_thread
from hlgan_lib.study import figures, numbers, tables
from hlgan_lib.study.ablation import describe, load_or_new, score_all
from hlgan_lib.study.compare import markdown, table
from hlgan_lib.study.grid import AXES, CELLS, planned_of
from hlgan_lib.study.results import Stored, load
from hlgan_lib.study.run import folder_of

N = 20
RUN = {
    "bilinear-pixel": 2,
    "learned-pixel": 2,
    "camera-pixel": 2,
    "bilinear-gan": 1,
    "learned-gan": 2,
    "camera-gan": 1,
    "beta-0.5": 1,
    "joint": 1,
    "lo-300": 1,
}
LEVEL = {"bilinear": 19.0, "learned": 19.6, "camera": 20.5}


def score(rng, value):
    return {"value": float(value), "ci": [float(value) - 0.3, float(value) + 0.3]}


@pytest.fixture(scope="module")
def stored():
    """Results with numbers of their own for some cells; every other cell was not run."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, N)
    s = Stored(
        {
            "preset": "smoke",
            "test": "faces:test",
            "n": N,
            "hardware": "a machine",
            "torch": "0",
            "floors": {"frechet_lite0": 15.0, "kernel_lite0": 0.1},
        }
    )

    def scores(level):
        one = lambda: {  # noqa: E731
            "psnr": score(rng, level),
            "ssim": score(rng, 0.5),
            "frechet_lite0": score(rng, 9000 / level),
            "kernel_lite0": score(rng, 3),
            "consistency": score(rng, 25),
        }
        return {t: one() for t in ("camera", "clean", "wild")}

    s.references = {"bicubic": {"scores": scores(18.5), "psnr_faces": list(18.5 + base)}}
    for d in ("bilinear", "bicubic", "blur", "handmade", "camera"):
        s.references[f"h2l:{d}"] = {
            "scores": {
                "frechet_lite0": score(rng, 90),
                "kernel_lite0": score(rng, 9),
                "diversity": {"total": 0.05, "colour": 0.03, "detail": 0.04},
            }
        }
    s.arrays["faces/bicubic"] = rng.integers(0, 255, (8, 3, 64, 64), dtype=np.uint8)
    for cell, n_seeds in RUN.items():
        for p in planned_of(CELLS[cell], "smoke", range(n_seeds)):
            level = LEVEL.get(cell.split("-")[0], 19.3) + 0.02 * p.seed
            s.runs[p.run.name] = describe(p.run, "smoke") | {
                "training": {"seconds": 60 + 30 * p.seed},
                "scores": scores(level),
                "psnr_faces": [round(float(x), 2) for x in level + base + rng.normal(0, 0.05, N)],
            }
            s.arrays[f"faces/{p.run.name}"] = rng.integers(0, 255, (8, 3, 64, 64), dtype=np.uint8)
            for need in p.run.needs:
                if need.stage == "h2l":
                    spread = {"diversity": {"total": 0.07, "colour": 0.05, "detail": 0.06}}
                    s.runs[need.name] = describe(need, "smoke") | {
                        "training": {"seconds": 30},
                        "scores": {**s.references["h2l:camera"]["scores"], **spread},
                    }
    s.gaps = {
        "psnr/pixel/learned": {
            "ratio": 0.4,
            "ratio_ci": [0.3, 0.5],
            "low": 19.0,
            "mid": 19.6,
            "high": 20.5,
            "note": None,
        },
        "frechet_lite0/gan/learned": {
            "ratio": None,
            "ratio_ci": None,
            "low": 400.0,
            "mid": 410.0,
            "high": 399.0,
            "note": "no ratio: the gap is not clearly above 0",
        },
    }
    return s


def test_a_stored_run_is_found_by_cell_and_seed(stored):
    assert {c: len(stored.found(c)) for c in CELLS if stored.found(c)} == RUN
    assert stored.values("camera-pixel", "camera", "psnr") == [20.5, 20.52]
    names = stored.names(["joint"])
    assert len(names) == 3 and {n.split("-")[0] for n in names} == {"h2l", "l2h", "joint"}


def test_saved_and_loaded_it_is_the_same(stored, tmp_path):
    stored.save(tmp_path)
    again = load(tmp_path)
    assert (again.about, again.runs, again.references, again.gaps) == (
        stored.about,
        stored.runs,
        stored.references,
        stored.gaps,
    )
    assert (
        all(np.array_equal(v, stored.arrays[k]) for k, v in again.arrays.items())
        and again.arrays.keys()
    )
    assert load_or_new(tmp_path, "smoke").runs == stored.runs
    with pytest.raises(HLError, match="holds results of preset smoke, got --preset study"):
        load_or_new(tmp_path, "study")


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(HLError, match="no stored results at .*run hlgan ablate"):
        load(tmp_path)
    (tmp_path / "ablation.json").write_text("{")
    with pytest.raises(HLError, match="cannot be read: .*score the runs again"):
        load(tmp_path)


# ---- what is drawn equals what is stored -----------------------------------------------------------------------------
def widths(ax):
    """Values of the bars of an axis (no hatched bands)."""
    return [p.get_width() for c in ax.containers for p in getattr(c, "patches", [])]


def words(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_scores_draws_the_stored_means_and_the_words_not_run(stored):
    cells = AXES["matrix"].cells
    figure = figures.scores(stored, cells)
    left, right = figure.axes
    means = [np.mean(stored.values(c, "wild", "frechet_lite0")) for c in cells if c in RUN]
    bicubic = stored.references["bicubic"]["scores"]["wild"]["frechet_lite0"]["value"]
    assert widths(right) == pytest.approx([bicubic, *means])
    points = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert points[1:] == pytest.approx(
        [np.mean(stored.values(c, "camera", "psnr")) for c in cells if c in RUN]
    )
    missing = sum(c not in RUN for c in cells)
    assert words(figure).count("not run") == 2 * missing > 0
    assert figure.alt.count("not run") == 2 * missing


def test_gap_draws_the_stored_ratio_and_says_where_there_is_none(stored):
    figure = figures.gap(stored)
    assert widths(figure.axes[0]) == [0.4]
    assert words(figure).count("not run") == 6 and any(
        "no ratio: from 400 over 410 to 399" in w for w in words(figure)
    )


def test_plane_draws_a_point_a_seed(stored):
    ax = figures.plane(stored).axes[0]
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines
    }
    for c in AXES["matrix"].cells:
        if c in RUN:
            assert drawn[CELLS[c].label] == tuple(
                stored.values(c, *score) for score in numbers.SHOWN
            )
        else:
            assert drawn[f"{CELLS[c].label}: not run"] == ([], [])
    looks = {
        (to_hex(line.get_color()), line.get_marker(), line.get_fillstyle())
        for line in ax.lines
        if line.get_label() in drawn and drawn[line.get_label()][0]
    }
    assert len({(m, f) for _, m, f in looks}) == len(looks), "told apart without colour"


@pytest.mark.parametrize("axis", ["beta", "n-lo", "n-hi"])
def test_sweeps_draw_the_stored_points_at_their_places(stored, axis):
    for k, ax in enumerate(figures.sweep(stored, [axis]).axes):
        test, metric = numbers.SHOWN[k]
        line = next(line for line in ax.lines if line.get_marker() == "o")
        want = [
            np.mean(stored.values(c, test, metric)) if c in RUN else np.nan
            for c in AXES[axis].cells
        ]
        assert list(line.get_xdata()) == list(range(len(want))) and not np.isnan(want).all()
        assert list(line.get_ydata()) == pytest.approx(want, nan_ok=True)
        assert [t.get_text() for t in ax.get_xticklabels()] == [f"{x:g}" for x in AXES[axis].x]


def test_diversity_and_cost_draw_the_stored_numbers(stored):
    rows = numbers.diversity_rows(stored)
    assert rows["H2L, this package's z"] == pytest.approx({"colour": 0.05, "detail": 0.06})
    assert rows["H2L, without z"] is None
    assert widths(figures.diversity(stored).axes[0]) == pytest.approx(
        [r[k] for r in rows.values() if r for k in ("colour", "detail")]
    )
    rows = numbers.cost_rows(stored)
    assert rows["L2H, pixel only"].seeds == (1.0, 1.5) * 3 and rows["H2L"].value == 0.5
    assert widths(figures.cost(stored).axes[0]) == pytest.approx(
        [r.value for r in rows.values() if r]
    )


def test_matrix_shows_the_stored_faces_and_hatches_what_was_not_run(stored):
    figure = figures.matrix(stored)
    run = planned_of(CELLS["learned-gan"], "smoke", [0])[0].run
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert any(
        np.array_equal(a, stored.arrays[f"faces/{run.name}"][0].transpose(1, 2, 0)) for a in shown
    )
    assert "blur + bilinear, GAN-led: not run" in [t.get_text() for t in figure.texts]


def test_all_are_drawn_in_time_with_a_manifest_that_says_of_what(stored, tmp_path):
    since = time.process_time()
    paths = list(figures.draw_all(stored, tmp_path))
    assert time.process_time() - since < 60
    assert {p.name for p in paths} == {*figures.FIGURES, "tables.md"} and all(
        p.is_file() for p in paths
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    entry = manifest["beta.png"]
    assert (
        entry["command"] == "hlgan figures"
        and entry["preset"] == "smoke"
        and entry["hardware"] == "a machine"
    )
    assert entry["seeds"]["learned-pixel"] == [0, 1] and "learned-led" in entry["not_run"]
    assert set(entry["runs"]) <= set(stored.runs) and len(entry["alt"]) > 30
    assert (tmp_path / "tables.md").read_text().count("smoke preset") == 1
    with pytest.raises(HLError, match="is a file: choose a folder"):
        list(figures.draw_all(stored, tmp_path / "beta.png"))


# ---- tables ----------------------------------------------------------------------------------------------------------
def test_tables_hold_the_stored_numbers(stored):
    rows = tables.axis_table(stored, "matrix").splitlines()
    learned = next(r for r in rows if r.startswith("| learned (H2L), pixel only"))
    assert "| 19.61 +- 0.01 |" in learned and "| 2 |" in learned
    assert "not run" in next(r for r in rows if "pixel-led" in r)
    readme = tables.readme_table(stored)
    assert (
        "40% (95 % interval 30% to 50%)" in readme
        and "no ratio: from 400 over 410 to 399" in readme
    )
    gaps = tables.gap_table(stored)
    assert (
        "| learned (H2L) | pixel only | PSNR (dB) | 19 | 19.6 | 20.5 | 40% | 30% to 50% |" in gaps
    )


def test_compare_gives_means_over_seeds_and_says_what_was_not_run(stored):
    cell = table(stored)["camera"][CELLS["learned-gan"].label]["psnr"]
    assert cell["seeds"] == 2 and cell["value"] == pytest.approx(19.61)
    assert cell["ci"] == pytest.approx([19.31, 19.91])
    text = markdown(stored)
    assert (
        "19.61 [19.31, 19.91]" in text and "| not run | not run |" in text and "no results" in text
    )
    assert text.index("Reported elsewhere") > text.index("19.61")


# ---- scoring of run folders ------------------------------------------------------------------------------------------
def test_finished_runs_are_scored_once_and_gaps_are_closed(tmp_path):
    cells = ("bilinear-pixel", "learned-pixel", "camera-pixel")
    planned = [p for c in cells for p in planned_of(CELLS[c], "smoke", [0])]
    for p in planned:
        for run in (*p.run.needs, p.run):
            folder, net = folder_of(run, tmp_path), {"h2l": HighToLow, "l2h": LowToHigh}[run.stage]
            torch.manual_seed(len(run.name) + ord(run.name[-1]))
            save_weights(folder.weights, net(run.cfg).state_dict(), run.stage, run.cfg)
            save_json(folder.scores, {"stage": run.stage, "images": 24, "seconds": 1})
    said = []
    results = load_or_new(tmp_path, "smoke")
    score_all(results, planned, tmp_path, said.append)
    assert len(said) == 4 and set(results.runs) == {
        r.name for p in planned for r in (*p.run.needs, p.run)
    }
    assert set(results.gaps) == {"psnr/pixel/learned", "frechet_lite0/pixel/learned"}
    before = json.loads((tmp_path / "ablation.json").read_text())
    again = load(tmp_path)
    score_all(again, planned, tmp_path, said.append)
    assert len(said) == 4 and json.loads((tmp_path / "ablation.json").read_text()) == before
    with one_thread():
        assert torch.get_num_threads() == 1
