"""Each step of the paper's protocol by hand."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

import hlgan_lib as hl
from hlgan_lib.metrics import protocols
from hlgan_lib.metrics.protocols import CLEAN, PAPER, STEPS, one_step


@pytest.fixture(scope="module")
def faces():
    return (hl.load_faces("faces:val:hi").batch() + 1) / 2


def test_the_paper_is_the_scripts_as_far_as_they_are_known():
    assert PAPER == protocols.Protocol("paper", "train", True, 75, 299, 64)
    assert PAPER.whole(3000) == 2944 and CLEAN.whole(3000) == 3000
    assert PAPER.steps() == (
        "reference: training set, min-max stretch, JPEG 75, bilinear to 299, whole batches of 64"
    )
    assert CLEAN.steps() == "reference: real pictures"


@pytest.mark.parametrize("step", STEPS)
def test_one_step_changes_one_field(step):
    a, b = dataclasses.asdict(CLEAN), dataclasses.asdict(one_step(step))
    assert {k for k in a if a[k] != b[k]} == {"name", step} and b[step] == getattr(PAPER, step)


def test_protocols_refuse_what_does_not_fit():
    with pytest.raises(hl.HLError, match="step must be reference.*got 'blur'"):
        one_step("blur")
    with pytest.raises(hl.HLError, match="last incomplete batch of 64, got 63 pictures"):
        PAPER.whole(63)


def test_stretch_takes_each_picture_to_full_contrast_and_leaves_a_constant_one():
    x = torch.stack((torch.linspace(0.25, 0.5, 48).view(3, 4, 4), torch.full((3, 4, 4), 0.3)))
    got = protocols.stretch(x)
    torch.testing.assert_close(got[0], torch.linspace(0, 1, 48).view(3, 4, 4))
    assert torch.equal(got[1], x[1])


def test_jpeg_file_is_what_pillow_writes(faces):
    got = protocols.jpeg_file(faces[:2], 75)
    for x, y in zip(faces[:2], got):
        file = io.BytesIO()
        Image.fromarray((x.permute(1, 2, 0) * 255).round().byte().numpy()).save(
            file, "JPEG", quality=75
        )
        assert np.array_equal(
            (y.permute(1, 2, 0) * 255).round().byte().numpy(), np.array(Image.open(file))
        )
    assert 0 < (got - faces[:2]).abs().mean() < 0.05
    assert (protocols.jpeg_file(faces[:2], 20) - faces[:2]).abs().mean() > (
        got - faces[:2]
    ).abs().mean()
