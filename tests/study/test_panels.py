"""What figures are put together from: a bar with its interval, a gap, a line."""

from hlgan_lib.study.numbers import Bar
from hlgan_lib.study.panels import draw_bars, draw_gap, draw_sweep, finish, words_of
from hlgan_lib.study.results import Stored
from hlgan_lib.viz.canvas import blank

BARS = {"a": Bar(2.0, 1.0, 4.0, (1.0, 3.0)), "b": Bar(3.0, None, None, (3.0,))}


def test_a_bar_has_its_number():
    ax = blank(4, 3).add_subplot()
    draw_bars(ax, BARS, "dB")
    assert [t.get_text() for t in ax.texts] == ["2.00", "3.00"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert words_of(BARS) == "a 2.00, b 3.00"


def test_a_gap_is_a_ratio_or_says_why_not():
    ax = blank(4, 3).add_subplot()
    closed = {"ratio": 0.4, "ratio_ci": [0.3, 0.5], "low": 1.0, "mid": 2.0, "high": 3.0}
    assert draw_gap(ax, 0, closed) == "0.40 [0.30, 0.50]"
    assert draw_gap(ax, 1, closed | {"ratio": None}) == "no ratio"
    assert [p.get_width() for c in ax.containers for p in getattr(c, "patches", [])] == [0.4]


def test_a_line_has_its_points_and_their_intervals():
    ax = blank(4, 3).add_subplot()
    draw_sweep(ax, list(BARS.values()), "black")
    points, interval = ax.lines
    assert list(points.get_ydata()) == [2, 3] and list(interval.get_ydata()) == [1, 4]


def test_results_of_the_smoke_preset_are_marked_as_none():
    for name, marked in (("smoke", True), ("study", False)):
        figure = finish(blank(3, 2), Stored({"preset": name}), "bars of a test")
        assert bool(figure.get_suptitle()) == marked and figure.alt == "bars of a test"
