"""docs/models.md says of skin and pose what is stored; both are measured as they are described."""

import numpy as np
import pytest
import torch

TOOL = "bias"


def test_the_page_holds_the_stored_tables(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        assert f"<!-- {mark}:begin -->\n{table(stored)}\n<!-- {mark}:end -->" in page


def test_what_is_said_of_the_numbers_is_so(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    rows, groups = stored["rows"], stored["groups"]
    said = "{} are very light, {} light, {} intermediate, {} tan, {} brown and {} dark"
    assert said.format(*groups["classes"].values()) in page
    assert sum(groups["classes"].values()) == stored["n"] == 600
    assert f"(correlation {groups['mirrored']})" in page
    assert f"lies off by {groups['medians']['pose']['turned']:.2f} of the distance" in page

    kept = [100 * rows[name]["kept"][0] for name in ("l2h", "l2h-pixel")]
    assert f"keeps {kept[0]:.0f} % of a difference" in page
    assert f"the mean of what may be, {kept[1]:.0f} %" in page
    dark, light = (rows["l2h-pixel"]["skin"][part]["lighter"][0] for part in ("dark", "light"))
    assert f"third {dark:.1f} lighter and the light third {-light:.1f} darker" in page
    for name in set(tool.RESTORERS) - {"l2h", "l2h-pixel"}:
        darker = [-rows[name]["skin"][part]["lighter"][0] for part in tool.SKIN]
        assert round(darker[0]) in (2, 3) and {round(d) for d in darker[1:]} <= {4, 5}, name
    darker = [-rows["bicubic"]["skin"][part]["lighter"][0] for part in tool.SKIN]
    assert [round(d) for d in darker] == [1, 5, 4]


def test_the_middle_is_restored_best_and_nothing_is_said_of_pose(tool, stored):
    row = stored["rows"]["l2h"]
    dark, middle, light = (row["skin"][part] for part in tool.SKIN)
    assert [round(middle["psnr"][0] - end["psnr"][0], 1) for end in (dark, light)] == [0.3, 0.5]
    for end in (dark, light):
        assert middle["look"][2] < end["look"][1], "intervals apart"
    for kind, parts in (("skin", tool.SKIN), ("pose", tool.POSE)):
        assert sum(200 * row[kind][part]["failed"][0] for part in parts) == pytest.approx(16)
    ends = [row["pose"][part]["psnr"][1:] for part in tool.POSE]
    assert max(low for low, _ in ends) < min(high for _, high in ends), "pose: all overlap"


def test_skin_is_read_under_the_eyes_and_nowhere_else(tool):
    eyes_and_nose = np.array([[[20.0, 30.0], [44.0, 30.0], [32.0, 42.0]]])
    face = torch.full((1, 3, 64, 64), -1.0)
    rows = slice(39 - tool.REACH, 39 + tool.REACH + 1)  # 0.75 of the way from 30 to 42
    for x in (20, 44):
        face[..., rows, x - tool.REACH : x + tool.REACH + 1] = 1.0
    assert tool.skin(face, eyes_and_nose)[0] == pytest.approx([100, 0, 0], abs=0.1)
    turned = eyes_and_nose + [[[0, 0], [0, 0], [6, 0]]]
    assert tool.frame(turned)[2] == pytest.approx(6 / 24)
    assert tool.skin(face, turned)[0][0] == pytest.approx(100, abs=0.1), "at the same place"


def test_light_skin_has_a_large_angle_and_thirds_are_in_order(tool):
    angle = tool.typology(np.array([[80.0, 10, 15], [50.0, 10, 15], [30.0, 10, 15]]))
    assert angle == pytest.approx([63.4, 0, -53.1], abs=0.1)
    found = tool.thirds(np.array([5.0, 1, 3, 2, 4, 6]), tool.SKIN)
    assert [sorted(rows) for rows in found.values()] == [[1, 3], [2, 4], [0, 5]]


def test_a_slope_is_what_is_left_of_a_difference(tool):
    x = np.linspace(20, 80, 50)
    value, low, high = tool.slope(x, 10 + 0.7 * x + np.sin(7 * x))
    assert low < value < high and value == pytest.approx(0.7, abs=0.02)
