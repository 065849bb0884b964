"""Choices of a plan: sizes, seeds, options; and the cards, which docs/data.md holds."""

from pathlib import Path

import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare.kinds import KINDS
from hlgan_lib.prepare.plan import Face, Job, Options, Plan

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def sides(*widths):
    faces = [Face(f"{i}", (0, 0, w, w - 1)) for i, w in enumerate(widths)]
    return Plan([Job(f"{face.name}.jpg", (face,)) for face in faces])


def test_lr_takes_sizes_up_to_one_and_a_half_hr_all_above():
    for role, size, kept in (("lo", 16, ["1", "2"]), ("hi", 16, ["1", "2", "3"])):
        plan = sides(15, 16, 24, 25)
        plan.of_size(Options(role=role, size=size))
        assert [job.faces[0].name for job in plan.jobs] == kept
        assert "1 face is smaller than 16" in plan.notes[0]


def test_a_seeded_choice_keeps_its_number_and_depends_on_the_seed():
    chosen = []
    for seed in (0, 0, 1):
        plan = sides(*[40] * 50)
        plan.at_most(10, seed)
        chosen.append([job.file for job in plan.jobs])
    assert len(chosen[0]) == 10 and chosen[0] == chosen[1] != chosen[2]


def test_options_that_a_kind_does_not_read_are_refused():
    with pytest.raises(HLError, match="--n-held-out 5 is not read by this kind"):
        KINDS["celeba"].options(n_held_out=5)
    with pytest.raises(HLError, match="--split must be one of all, train, val, test, got day"):
        KINDS["celeba"].options(split="day")
    with pytest.raises(HLError, match="nothing, as this kind has no parts"):
        KINDS["aflw"].options(split="train")


@pytest.mark.parametrize("kind", KINDS)
def test_the_docs_hold_the_card_word_for_word(kind):
    assert KINDS[kind].card.markdown(kind) in DOCS.read_text()
