"""The page is drawn from the numbers of the card, and from nothing else."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib import viz
from hlgan_lib.errors import HLError
from hlgan_lib.viz.card import draw_card

STORED = Path(__file__).parents[2] / "results" / "card.json"


@pytest.fixture(scope="module")
def card():
    return json.loads(STORED.read_text())


@pytest.fixture(scope="module")
def figure(card):
    return draw_card(
        card, {"sharp": torch.zeros(20, 3, 64, 64), "poor": torch.zeros(20, 3, 16, 16)}
    )


def titled(figure, title):
    return next(ax for ax in figure.axes if ax.get_title(loc="left") == title)


def test_curves_and_kernels_are_the_stored_ones(card, figure):
    for title, key in (("Noise over brightness", "noise curve"), ("Spectrum", "spectrum")):
        ways = [*card["ways"].values(), *([card["drawn"]] if key == "noise curve" else [])]
        for line, way in zip(titled(figure, title).lines, ways, strict=True):
            assert np.array_equal(line.get_xdata(), way[key]["x"]) and np.array_equal(
                line.get_ydata(), way[key]["y"]
            )
    drawn = [
        image.get_array()
        for ax in figure.axes
        for image in ax.images
        if image.get_array().shape == (20, 20)
    ]
    assert len(drawn) == 3
    assert all(
        np.array_equal(a, w["kernel"]) for a, w in zip(drawn, card["ways"].values(), strict=True)
    )


def test_dots_are_the_stored_numbers(card, figure):
    ax = titled(figure, "Blur")
    wanted = [
        card["ways"][w][k]["value"]
        for k in ("blur width", "blur variety", "kernel width")
        for w in card["ways"]
    ]
    assert [t.get_text() for t in ax.texts] == [f"{v:.3g}" for v in wanted]
    assert [c.lines[0].get_xdata()[0] for c in ax.containers] == wanted
    test = titled(figure, "Told from real LR faces?")
    assert [c.lines[0].get_xdata()[0] for c in test.containers] == [
        card["distances"][k]["two_sample"]["value"]
        for k in ("learned", "bilinear", "real", "floor")
    ]


def test_heat_map_writes_each_correlation_into_its_cell(card, figure):
    table = np.array(card["directions"]["table"])
    heat = next(
        ax for ax in figure.axes if ax.images and ax.images[0].get_array().shape == table.shape
    )
    assert np.array_equal(heat.images[0].get_array(), table)
    assert [t.get_text().rstrip("*") for t in heat.texts] == [f"{r:+.2f}" for r in table.ravel()]
    star = (np.array(card["directions"]["low"]) > 0) | (np.array(card["directions"]["high"]) < 0)
    assert [t.get_text().endswith("*") for t in heat.texts] == star.ravel().tolist()


def test_the_law_of_a_learned_camera_stands_beside_the_cameras(card, figure):
    words = " ".join(t.get_text() for t in figure.texts)
    for name, number in card["law"]["numbers"].items():
        (mean, spread), (true_mean, true_spread) = number["learned"], number["camera"]
        assert f"{name}: {round(mean, 2) + 0.0:.2f} ± {spread:.2f} {number['unit']}" in words
        assert f"(the camera {round(true_mean, 2) + 0.0:.2f} ± {true_spread:.2f})" in words
    assert f"learned light {card['law']['keeps']['learned']['light']:.2f}" in words


def test_the_page_says_everything_and_fits(card, figure):
    words = " ".join(t.get_text() for t in figure.texts).replace("\n", " ")
    assert all(v.split(":")[0] in words for v in card["verdicts"]) and all(
        v in figure.alt for v in card["verdicts"]
    )
    image = Image.open(io.BytesIO(viz.encode(figure, "image/png")[1]))
    assert image.width == 1200 and image.height < 2050
    edge = np.asarray(image.convert("L"))
    assert (
        (edge[:, :4] == 255).all() and (edge[:, -4:] == 255).all() and (edge[-8:] == 255).all()
    ), "nothing is cut off"
    figure.canvas.draw()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert box.x0 >= 0 and box.x1 <= 1200, f"{ax.get_title(loc='left')} reaches over the edge"


def test_the_stored_figure_was_drawn_from_the_stored_numbers(card):
    entry = json.loads((STORED.parents[1] / "figures" / "manifest.json").read_text())[
        "card-h2l.png"
    ]
    assert entry["command"] == card["about"]["command"] and all(
        v in entry["alt"] for v in card["verdicts"]
    )
    assert card["about"]["set"] == "faces:test" and card["about"]["n_hi"] == 600


def test_what_is_not_known_is_said(card):
    own = json.loads(json.dumps(card))
    own["about"] |= {"paired": False, "truth": None}
    own["ways"]["real"] |= dict.fromkeys(
        ("blur width", "noise curve", "kernel", "kernel width", "exposure variety")
    )
    del own["distances"]["real"]
    own["directions"] = own["drawn"] = own["law"] = None
    figure = draw_card(own)
    assert any("NO GROUND TRUTH KNOWN" in t.get_text() for t in figure.texts)
    assert "real: not known" in [t.get_text() for t in titled(figure, "Blur").texts]
    assert len(titled(figure, "Noise over brightness").lines) == 2
    ignored = own | {"z": own["z"] | {"ignored": True, "words": "z is ignored: try"}}
    assert any("z is ignored: try" in t.get_text() for t in draw_card(ignored).texts)


def test_other_dicts_are_refused():
    with pytest.raises(HLError, match="degradation_card"):
        draw_card({"ways": {}})
