"""The grid: every cell is another training, changes one thing, and trains."""

from collections import Counter

import pytest
import torch

from hlgan_lib.config import STAGES
from hlgan_lib.data.loading import load_faces
from hlgan_lib.errors import HLError
from hlgan_lib.inference import new_z
from hlgan_lib.loop import Loop
from hlgan_lib.networks import high_to_low
from hlgan_lib.presets import differences, preset
from hlgan_lib.study.grid import (
    AXES,
    BASE,
    BETAS,
    CELLS,
    H2L_PARTS,
    LEARNED,
    LOSSES,
    N_HI,
    N_LO,
    PAPER_PARTS,
    PIXEL,
    Cell,
    add_cell,
    plan,
    planned_of,
)
from hlgan_lib.study.run import Run, in_order
from hlgan_lib.training.build import _faces, _task

SMOKE = preset("smoke")
ALL = in_order(p.run for p in plan("smoke", seeds=1))


def learned(run):
    """The degradation of an L2H run; an untrained H2L in place of the trained one."""
    if not isinstance(run.degradation, Run):
        return run.degradation
    h2l = high_to_low(run.degradation.cfg).eval()
    return lambda hi, generator: h2l(hi, new_z(h2l, len(hi), generator))


def test_every_cell_is_a_training_of_its_own():
    runs = {c.id: c.run(SMOKE).name for c in CELLS.values()}
    assert len(set(runs.values())) == len(CELLS)
    assert set().union(*(a.cells for a in AXES.values())) == set(CELLS), (
        "a cell that answers no question"
    )
    assert all(
        len(a.x) in (0, len(a.cells)) and len(set(a.cells)) == len(a.cells) for a in AXES.values()
    )


def test_the_grid_holds_what_the_issue_asks_for():
    assert len(AXES["matrix"].cells) == 14 and {BASE, PIXEL} < set(AXES["matrix"].cells)
    assert AXES["beta"].x == tuple(sorted((*BETAS, *(b for _, b in LOSSES.values()))))
    for x, c in zip(AXES["beta"].x, AXES["beta"].cells, strict=True):
        assert CELLS[c].run(SMOKE).cfg.w_gan == x
    assert AXES["n-lo"].x == (*N_LO, len(load_faces("faces:train-lo")))
    assert AXES["n-hi"].x == (*N_HI, len(load_faces("faces:train-hi")))


def test_the_matrix_has_three_seeds_and_the_rest_one():
    seeds = Counter(p.cell.id for p in plan("study"))
    assert seeds == {c: 3 if c in AXES["matrix"].cells else 1 for c in CELLS}
    # H2L is shared: by the three learned rows with each loss, by what varies stage two.
    stages = Counter(r.stage for r in in_order(p.run for p in plan("study")))
    n_own = len(H2L_PARTS) + len(PAPER_PARTS) + len(N_LO) + len(N_HI)
    assert stages["h2l"] == 3 * len(LEARNED) + n_own


def test_the_learned_camera_is_what_the_small_presets_train():
    models = {d: CELLS[f"{d}-gan"].run(SMOKE).degradation.cfg for d in LEARNED}
    assert models["learned"].is_camera and not models["paper"].is_camera
    assert [models[d].has_jpeg for d in ("paper", "paperjpeg", "learned")] == [False, True, True]
    letter = CELLS["paper-letter"].run(preset("study")).degradation.cfg
    size = {"h2l_width", "l2h_width", "d_width", "srgan_width", "cyclegan_width", "batch"}
    size |= {"flow_width"}
    length = {f"{stage}_steps" for stage in STAGES}
    elsewhere = {"lr_d_hi", "perceptual", "tick_images", "save_images"}  # H2L reads none of them
    changed = set(differences(letter))
    assert changed - size - length - elsewhere == {"down_first", "amp"}


def test_only_and_seeds():
    named = plan("smoke", only=["camera", "d-aug"], seeds=2)
    assert {p.cell.id for p in named} == {*AXES["camera"].cells, "d-aug"}
    assert [p.seed for p in named] == [0] * 6 + [1] * 6
    with pytest.raises(HLError, match="--only must name cells .* got 'beta-7'"):
        plan("smoke", only=["beta-7"])
    with pytest.raises(HLError, match="--seeds must be 1 or more, got 0"):
        plan("smoke", seeds=0)


def test_a_new_cell_is_planned_as_any_other_and_a_taken_name_or_training_is_refused(monkeypatch):
    monkeypatch.setattr("hlgan_lib.study.grid.CELLS", dict(CELLS))
    own = Cell("mine", "half", h2l={"w_stats": 0.5}, l2h={"w_gan": 0.0})
    assert add_cell(Cell("mine", "first", h2l={"w_stats": 2.0})) and add_cell(own) is own
    (planned,) = plan("study", only=["mine"])
    assert planned.run.needs[0].cfg.w_stats == 0.5 and planned.run.cfg.w_gan == 0.0
    with pytest.raises(HLError, match="id must be new, got 'no-gan', statistics alone"):
        add_cell(Cell("no-gan", "other", h2l={"w_stats": 0.5}))
    with pytest.raises(HLError, match="which trains what 'no-gan' does"):
        add_cell(Cell("mine too", "again", h2l={"w_gan": 0.0}, l2h={"w_gan": 0.0}))


def test_a_cell_changes_stage_two_alone_where_it_says_so():
    base, pixel = (CELLS[c].run(SMOKE) for c in (BASE, "learned-pixel"))
    assert pixel.degradation == base.degradation and pixel.cfg.w_gan == 0 != base.cfg.w_gan
    assert CELLS["no-statistics"].run(SMOKE).degradation != base.degradation
    assert CELLS["hi-100"].run(SMOKE).degradation.cfg.n_hi == 100
    assert planned_of(CELLS["joint"], "smoke", [3])[0].run.l2h.cfg.seed == 3


@pytest.fixture(scope="module")
def sets():
    return {"hi": load_faces("faces:train-hi"), "lo": load_faces("faces:train-lo")}


@pytest.mark.parametrize("run", ALL, ids=lambda r: r.name)
def test_every_training_of_the_grid_makes_an_update(run, sets):
    cfg, rng = run.cfg, torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    hi, lo = _faces(sets["hi"], 64, "hi", cfg.n_hi), _faces(sets["lo"], 16, "lo", cfg.n_lo)
    assert len(hi) == (cfg.n_hi or 3000) and len(lo) == (cfg.n_lo or 4800)
    task = _task(run.stage, cfg, hi[:40], lo[:40], learned(run), rng, torch.device("cpu"))
    loop = Loop(cfg, task, 1)
    before = {k: v.clone() for k, v in task.generators.state_dict().items()}
    loop.update()
    assert all(torch.isfinite(torch.tensor(v)) for v in loop.means().values())
    assert any(not torch.equal(v, before[k]) for k, v in task.generators.state_dict().items())
