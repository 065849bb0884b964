"""The cascade: loaded once, or one line that says how to install it; grey at another size."""

import sys

import numpy as np
import pytest

from hlgan_lib.data.cascade import grey_of, load_cascade
from hlgan_lib.errors import HLError


@pytest.mark.parametrize("cv2", [None, object()])
def test_without_opencv_one_line_says_how_to_install_it(monkeypatch, cv2):
    load_cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    with pytest.raises(HLError, match=r"pip install 'hlgan_lib\[faces\]'") as said:
        load_cascade()
    assert str(said.value).isprintable()


def test_grey_at_another_size():
    pytest.importorskip("cv2")
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[..., 1] = 255
    for factor, shape in ((2, (20, 40)), (0.5, (5, 10))):
        grey = grey_of(pixels, factor)
        assert grey.shape == shape and abs(int(grey[0, 0]) - 0.587 * 255) < 1
