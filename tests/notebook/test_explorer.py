"""The degradation explorer: its sliders move it, it measures what it shows, and it is fast."""

import time

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import viz
from hlgan_lib.analysis.z_directions import PROPERTIES, Directions, placed
from hlgan_lib.errors import HLError
from hlgan_lib.notebook import explorer
from hlgan_lib.notebook.explorer import Explorer, degradation_explorer

PAIRS = hl.load_faces("faces:val")
HI, LO = PAIRS.hi.batch(slice(0, 3)), PAIRS.lo.batch(slice(0, 3))
STATIC = viz.strip({"a": LO[0]}, alt="the static strip")


def directions(k=3, dim=64):
    rng = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(dim, k, generator=rng, dtype=torch.float64))[0].T
    table = torch.zeros(k, len(PROPERTIES))
    table[torch.arange(k), torch.arange(k)] = 0.9
    return Directions(
        axes,
        torch.ones(k),
        torch.ones(k),
        PROPERTIES,
        table,
        table,
        table,
        torch.ones(7),
        axes[:1],
        1,
    )


def named(box, kind):
    return [w for w in box.children if type(w).__name__ == kind]


def test_placed_sets_coordinates_and_leaves_the_rest():
    axes = directions().axes
    z = torch.randn(5, 64, dtype=torch.float64)
    at = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    moved = placed(z, axes, at)
    torch.testing.assert_close(moved @ axes.T, at.expand(5, 3))
    along = axes.T @ axes
    torch.testing.assert_close(moved - moved @ along, z - z @ along)


def test_the_explorer_moves_with_its_sliders_and_measures_what_it_shows(watched):
    h2l = hl.load_weights("h2l")
    degradation_explorer(h2l, directions(), HI, LO, STATIC)
    (box,) = watched
    (face,), sliders, (button,), (html,) = (
        named(box, k) for k in ("IntSlider", "FloatSlider", "Button", "HTML")
    )
    assert [s.description for s in sliders] == [f"{i + 1}: {PROPERTIES[i]}" for i in range(3)]
    texts = [html.value]
    for change in (
        lambda: setattr(sliders[0], "value", 2.0),
        lambda: setattr(face, "value", 1),
        button.click,
    ):
        change()
        texts.append(html.value)
    assert len(set(texts)) == 4, "each control changes what is shown"
    assert all(t.count("<img") == t.count("alt=") == 4 for t in texts)
    for row in explorer.ROWS:
        assert row in texts[0]


def test_the_explorer_knows_a_known_degradation():
    class Darker(torch.nn.Module):  # half the light: one stop down, whatever z is
        def forward(self, hi, z):
            light = hl.degradations.srgb_decode((hl.degradations.bilinear(hi) + 1) / 2) / 2
            return 2 * hl.degradations.srgb_encode(light) - 1

    e = Explorer(Darker(), directions(), HI, LO)
    row = e.html(0, (0.0, 0.0, 0.0)).split("exposure</th>")[1].split("</tr>")[0]
    learned, bilinear = (float(cell.split("<")[0]) for cell in row.split("<td>")[1:3])
    assert learned == pytest.approx(bilinear - 1, abs=0.03)
    with pytest.raises(HLError, match="same faces"):
        Explorer(Darker(), directions(), HI, LO[:2])


def test_a_slider_answers_within_150_ms():
    e = Explorer(hl.load_weights("h2l"), directions(), HI, LO)
    e.html(0, (0.0, 0.0, 0.0))
    spent = []
    for k in range(7):
        start = time.process_time()  # of this process: what else runs on the machine does not count
        e.html(k % 3, (0.1 * k, 0.0, 0.0))
        spent.append(time.process_time() - start)
    assert sorted(spent)[3] < 0.15
