"""What figures are put together from: a bar with its interval, a gap, a line."""

import matplotlib
from cycler import cycler

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


def test_a_line_has_its_points_and_their_intervals_all_of_one_style():
    ax = blank(4, 3).add_subplot()
    with matplotlib.rc_context({"axes.prop_cycle": cycler(linestyle=["--", ":", "-."])}):
        draw_sweep(ax, [*BARS.values(), Bar(4.0, 3.5, 4.5, (4.0,))], "black")
    assert list(ax.lines[0].get_ydata()) == [2, 3, 4] and ax.lines[0].get_linestyle() == "-"
    points = [c.lines[0] for c in ax.containers]
    assert [p.get_ydata()[0] for p in points] == [2, 3, 4]
    assert [p.get_markerfacecolor() for p in points] == ["black", "white", "white"], "one seed"
    whiskers = [bars for c in ax.containers for bars in c.lines[2]]
    ends = [bars.get_segments()[0][:, 1].tolist() for bars in whiskers]
    assert ends == [[1, 4], [3.5, 4.5]]
    dashes = [dash for bars in whiskers for _, dash in bars.get_linestyle()]
    assert dashes == [None, None], "solid, whatever the cycle says"


def test_results_of_the_smoke_preset_are_marked_as_none():
    for name, marked in (("smoke", True), ("study", False)):
        figure = finish(blank(3, 2), Stored({"preset": name}), "bars of a test")
        assert bool(figure.get_suptitle()) == marked and figure.alt == "bars of a test"
