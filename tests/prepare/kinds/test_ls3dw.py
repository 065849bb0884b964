"""LS3D-W: 68 points in torch 7's and in MATLAB's files, whole and broken."""

import struct

import numpy as np
import pytest

from hlgan_lib.errors import HLError
from hlgan_lib.prepare import prepare_file
from hlgan_lib.prepare.kinds.ls3dw import points_of
from tests.prepare.makers import picture, save

POINTS = np.random.default_rng(0).uniform(40, 120, (68, 2)).round(2)


def t7(points: np.ndarray, kind: str = "Float") -> bytes:
    """A tensor as torch 7 writes it in binary form."""

    def text(words: str) -> bytes:
        return struct.pack("<i", len(words)) + words.encode()

    numbers = points.astype("<f4" if kind == "Float" else "<f8")
    shape, strides = points.shape, [points.shape[1], 1]
    head = struct.pack("<ii", 4, 1) + text("V 1") + text(f"torch.{kind}Tensor")
    head += struct.pack("<i", points.ndim) + struct.pack("<2q", *shape)
    head += struct.pack("<2q", *strides) + struct.pack("<q", 1)
    store = struct.pack("<ii", 4, 2) + text("V 1") + text(f"torch.{kind}Storage")
    return head + store + struct.pack("<q", points.size) + numbers.tobytes()


@pytest.mark.parametrize("kind", ["Float", "Double"])
def test_a_tensor_of_torch_7_is_read(kind):
    assert points_of(t7(POINTS, kind), "a.t7") == pytest.approx(POINTS, abs=1e-4)


def test_pictures_with_points_beside_them_are_cut_around_these(tmp_path):
    from scipy.io import savemat

    root = tmp_path / "ls3dw/300W-Testset-3D"
    for name in ("a.jpg", "b.png", "c.jpg", "d.jpg"):
        save(root / name, picture(160, 160, 100))
    (root / "a.t7").write_bytes(t7(POINTS))
    savemat(root / "b.mat", {"pt3d_68": np.vstack([POINTS.T, POINTS.T[:1]])})
    (root / "c.t7").write_bytes(t7(POINTS)[:60])
    made = prepare_file("ls3dw", tmp_path / "ls3dw", tmp_path / "l.npz")
    assert made.n == 2
    assert "cannot be read" in dict(made.skipped)["300W-Testset-3D/c.jpg"]
    assert made.notes == ["1 pictures have no .t7 or .mat beside them: left out"]


def test_broken_points_are_one_line_whatever_they_hold():
    whole = t7(POINTS)
    rng = np.random.default_rng(1)
    for _ in range(300):
        bad = bytearray(whole)
        for place in rng.integers(0, 120, 3):
            bad[place] = rng.integers(256)
        try:
            assert points_of(bytes(bad), "a.t7").shape == (68, 2)
        except HLError as error:
            assert "\n" not in str(error)
    with pytest.raises(HLError, match="must hold 68 points"):
        points_of(t7(POINTS[:5]), "a.t7")
    with pytest.raises(HLError, match="finite"):
        points_of(t7(np.where(POINTS == POINTS[0, 0], np.nan, POINTS)), "a.t7")
