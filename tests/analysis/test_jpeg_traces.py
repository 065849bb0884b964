"""JPEG traces: found where a picture was coded at a known quality and place, and nowhere else."""

import pytest
import torch

from hlgan_lib.analysis.jpeg_traces import block_step, chroma_detail, jpeg_grid, measured_jpeg
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.data.loading import load_faces
from hlgan_lib.degradations.handmade import bilinear
from hlgan_lib.degradations.jpeg import jpeg_inside_photograph
from hlgan_lib.errors import HLError
from tests.helpers import seeded


@pytest.fixture(scope="module")
def clean():
    lo = bilinear(load_faces("faces:val").hi.batch(slice(0, 100)))
    return (lo + 0.06 * torch.randn(lo.shape, generator=seeded())).clamp(-0.95, 0.95)


def coded(lo, quality, subsampled=True, offset=None):
    n = len(lo)
    offset = (
        torch.randint(0, 16, (n, 2), generator=seeded(1))
        if offset is None
        else torch.tensor([offset] * n)
    )
    size, q, sub = (torch.full((n,), v) for v in (lo.shape[-1], quality, subsampled))
    return torch.round(
        jpeg_inside_photograph((lo + 1) / 2, size, q, sub, offset) * 255
    ) / 127.5 - 1, offset


@pytest.mark.parametrize("quality, share", [(30, 0.95), (60, 0.95), (90, 0.85)])
def test_grid_and_quality_are_found_after_a_known_jpeg(clean, quality, share):
    lo, offset = coded(clean, quality)
    grid = jpeg_grid(lo)
    at = (grid.phase == (-offset) % 8).all(1)
    assert at.double().mean() > share
    right = grid.found & at
    assert right.double().mean() > share - 0.25
    assert (grid.quality[right] - quality).abs().nanmedian() <= 1
    assert (~grid.quality[right].isnan()).double().mean() > 0.75


def test_nothing_is_found_without_jpeg_and_beyond_what_can_be_seen(clean):
    for lo in (clean, coded(clean, 99)[0]):
        grid = jpeg_grid(lo)
        assert grid.found.double().mean() < 0.1 and grid.quality.isnan().all()
    gone = torch.nn.functional.avg_pool2d(
        coded(torch.nn.functional.interpolate(clean, 32), 40)[0], 2
    )
    assert jpeg_grid(gone).found.double().mean() < 0.2, (
        "a JPEG that was resized afterwards leaves no grid"
    )


def test_the_phase_of_every_place_is_the_one_that_was_coded(clean):
    for offset in ((0, 0), (3, 0), (0, 13), (15, 8)):
        lo, _ = coded(clean[:20], 50, offset=offset)
        assert (jpeg_grid(lo).phase == -torch.tensor(offset) % 8).all(1).double().mean() > 0.9


def test_steps_grow_as_quality_falls_and_chroma_loses_its_detail(clean):
    steps = [block_step(coded(clean, q)[0]).mean() for q in (90, 60, 30, 15)]
    assert steps == sorted(steps) and steps[-1] > steps[0] + 0.03
    whole, half = (chroma_detail(coded(clean, 60, s)[0]) for s in (False, True))
    assert half.median() < 0.05 < 0.1 < whole.median()
    assert ((half < 0.07).double().mean() + (whole > 0.07).double().mean()) / 2 > 0.9


def test_steps_of_a_picture_made_of_flat_blocks():
    """Flat halves 0.2 apart: a step of 0.2 at the edge, 0.1 beside it (lines run on), else 0."""
    lo = torch.zeros(1, 3, 16, 16)
    lo[..., 8:] = 0.4
    lo[..., 8:, :] += 0.4
    assert (
        abs(
            block_step(lo, jpeg_grid(lo)._replace(phase=torch.tensor([[0, 0]])))[0]
            - (0.2 - 2 * 0.1 / 12)
        )
        < 0.002
    )


def test_quality_of_the_cameras_own_shots():
    params = {k: torch.from_numpy(v) for k, v in load_camera_params("faces:val").items()}
    grid = jpeg_grid(load_faces("faces:val").lo.batch())
    assert grid.found.double().mean() > 0.8
    assert (grid.phase == -params["site_offset"] % 8).all(1).double().mean() > 0.9
    assert (grid.quality - params["site_quality"]).abs().nanmean() < 1


@pytest.mark.parametrize(
    "wrong", [torch.zeros(2, 3, 8, 8), torch.zeros(3, 16, 16), torch.zeros(2, 3, 16, 16).byte()]
)
@pytest.mark.parametrize("call", [jpeg_grid, block_step])
def test_other_pictures_are_refused(call, wrong):
    with pytest.raises(HLError, match="whole JPEG block"):
        call(wrong)
    with pytest.raises(HLError, match="lo must be"):
        chroma_detail(wrong[0])


def test_the_jpeg_of_the_camera_is_measured_of_its_shots():
    faces, drawn = load_faces("faces:val").lo, load_camera_params("faces:val")
    quality, subsampled = measured_jpeg(faces.batch())
    at = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9], dtype=torch.float64)
    true = torch.tensor(drawn["site_quality"]).double().quantile(at)
    assert (quality.quantile(at) - true).abs().max() < 5
    assert abs(subsampled - drawn["site_subsampled"].mean()) < 0.1


def test_without_jpeg_nothing_is_measured(clean):
    quality, _ = measured_jpeg(clean)
    assert (quality == 100).double().mean() > 0.9
    assert measured_jpeg(bilinear(torch.zeros(4, 3, 64, 64)))[1] == 0, (
        "no grid in any: a number, no nan"
    )
