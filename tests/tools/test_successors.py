"""docs/successors.md holds the stored tables; what it says of them is so."""

import json

import pytest

from hlgan_lib.files import Lock

TOOL = "successors"


def test_the_page_holds_the_stored_tables(tool, stored):
    page = tool.PAGE.read_text("utf-8")
    for mark, table in tool.TABLES.items():
        between = page.split(f"<!-- {mark}:begin -->\n")[1].split(f"<!-- {mark}:end -->")[0]
        assert between.strip() == table(stored).strip(), "python tools/results/successors.py"


def test_every_planned_row_is_in_a_table_and_what_was_not_run_is_named(tool, stored):
    assert set(tool.ROWS) == {*tool.RESTORERS, *tool.DEGRADATIONS}
    tables = {tool.RESTORERS: tool.restorer_table, tool.DEGRADATIONS: tool.degradation_table}
    for names, table in tables.items():
        rows, _, missing = table(stored).partition("Not run: ")
        for name in names:
            label = "learned camera" if (name, names) == ("pixel only", tool.DEGRADATIONS) else name
            said = rows if name in stored["scores"] else missing
            assert label in said or name in said, name


def test_a_row_differs_from_its_neighbour_in_what_it_is_named_after(tool):
    for name in tool.RESTORERS:
        bilinear = name.endswith(", bilinear pairs")
        assert tool.ROWS[name].pairs == ("bilinear" if bilinear else "learned camera")
    for name in tool.DEGRADATIONS:
        row = tool.ROWS[name]
        assert row.stage == "l2h" and row.changes == tool.PIXEL
    of_rows = {
        getattr(tool.Study("quick", "cpu", tool.ROOT).config(row.changes), f"{row.stage}_steps")
        for row in tool.ROWS.values()
    }
    assert of_rows == {tool.LENGTHS["quick"][1]}, "as many images for all"


def test_what_is_said_of_the_numbers_is_so(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    once = {"hinge, bilinear pairs", "pseudo-supervision, bilinear pairs"}
    assert stored["seeds"] == {name: 1 if name in once else 3 for name in tool.ROWS}
    psnr = {name: on["camera"]["psnr"]["value"] for name, on in stored["scores"].items()}
    bilinear, learned = psnr["bilinear"], psnr["pixel only"]
    assert f"by {learned - bilinear:.1f} dB and is as good as the camera itself" in page
    assert abs(learned - psnr["the camera itself"]) < 0.05
    far = {k: on["frechet_lite0"]["value"] for k, on in stored["degradations"].items()}
    assert far["learned camera"] < far["DSGAN"] < far["bilinear"] and psnr["DSGAN"] < bilinear - 1
    assert abs(psnr["PDM"] - bilinear) < 0.1 and abs(psnr["paper's H2L"] - psnr["hand-made"]) < 0.1
    spreads = {k: on["diversity"]["total"] for k, on in stored["degradations"].items()}
    assert spreads["DSGAN"] < 1e-6 and 0.25 < spreads["PDM"] / spreads["camera"] < 0.35


def test_what_is_said_of_the_restorers_is_so(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    psnr = {name: on["camera"]["psnr"]["value"] for name, on in stored["scores"].items()}
    distance = {n: on["camera"]["frechet_lite0"]["value"] for n, on in stored["scores"].items()}
    consistency = {n: on["wild"]["consistency"]["value"] for n, on in stored["scores"].items()}
    pair = "relativistic, R1 and R2 each eighth"
    assert (
        f"{psnr[pair] - psnr['hinge']:.1f} dB more" in page and distance[pair] < distance["hinge"]
    )
    assert abs(psnr["semi-cycle"] - psnr["hinge"]) < 0.1
    said = [consistency[n] for n in ("semi-cycle", "hinge", "semi-cycle, real LR as heavy")]
    assert "({:.1f} for {:.1f} dB, {:.1f} at equal weight)".format(*said) in page
    assert abs(psnr["pseudo-supervision"] - psnr["pixel only"]) < 0.1
    pseudo = "pseudo-supervision, bilinear pairs"
    said = f"{psnr[pseudo]:.2f} dB, and bilinear pairs without it have {psnr['bilinear']:.2f}"
    assert said in page and f"({consistency[pseudo]:.1f} dB of consistency)" in page
    hinge = "hinge, bilinear pairs"
    assert f"loses {psnr['hinge'] - psnr[hinge]:.1f} dB on bilinear pairs" in page
    assert f"({distance[hinge]:.0f}, not {distance['hinge']:.0f})" in page
    for name in ("Wavelet-SRNet", "DeepDeblur"):
        assert abs(psnr[f"{name}, bilinear pairs"] - psnr["bilinear"]) < 0.2
        assert consistency[f"{name}, bilinear pairs"] > 40
    gains = [psnr[n] - psnr[f"{n}, bilinear pairs"] for n in ("Wavelet-SRNet", "DeepDeblur")]
    assert "gain {:.1f} and {:.1f} dB".format(*gains) in page
    deblur = psnr["DeepDeblur"], distance["DeepDeblur"]
    assert "({:.2f} dB, {:.0f})".format(*deblur) in page


def test_what_is_said_of_the_flow_is_so(tool, stored):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    distance = {n: on["camera"]["frechet_lite0"]["value"] for n, on in stored["scores"].items()}
    one, restorer = distance["flow"], distance["pixel only"]
    assert f"they lie {one:.0f} from real ones, near pixels alone ({restorer:.0f})" in page
    assert abs(one / restorer - 1) < 0.1 and one > 4 * distance["hinge"]
    assert f"explains {100 * stored['flow']['flow']['explained']:.0f} % of its error" in page
    shipped, others = tool.shipped_flow(), {}
    for file, part in (("study_on_cpu", "shipped"), ("gpu-weights", "")):
        read = json.loads((tool.STORED.parent / f"{file}.json").read_text())
        others |= read[part] if part else read
    far = [
        on["scores"]["wild"]["frechet_lite0"]["value"]
        for on in (shipped, others["l2h-pixel"], others["l2h"])
    ]
    assert f"lies at {far[0]:.0f} on all 600 test faces" in page
    assert f"around which it draws, lies at {far[1]:.0f} and the GAN-led `l2h`" in page
    assert f"{int(others['l2h']['notes']['images']):,} images, at {far[2]:.0f}." in page
    assert far[2] < far[0] < far[1] / 2
    minutes = int(shipped["notes"]["seconds"]) / 60
    assert f"{int(shipped['notes']['images']):,} in {minutes:.0f} minutes of a CPU core" in page


def test_what_is_said_of_the_flows_frequencies_is_so(tool):
    page = " ".join(tool.PAGE.read_text("utf-8").split())
    bands = tool.shipped_flow()["bands"]
    early, half, late = (bands[str(t)] for t in tool.TIMES)
    assert sum(bands["of what LR lacks"]) == pytest.approx(1, abs=0.01)
    gone = [100 - round(100 * share) for share in (early[3], early[4], late[4])]
    assert f"{gone[0]} % of the guess's error is gone at t = 0.25" in page
    assert f"{gone[1]} % at t = 0.25 and {gone[2]} % at t = 0.75" in page and gone[2] > gone[1]
    assert min(early) == early[3] and early[0] < half[0] < late[0], "from coarse to fine"
    worst = 100 * max(half + late)
    assert f"worse than by the guess (up to {worst:.0f})" in page and late[0] > 1
    assert f"on {tool.N_FACES} test faces" in page


def test_a_silent_flow_has_learned_nothing_at_any_frequency(tool, monkeypatch):
    monkeypatch.setattr(tool, "N_FACES", 4)
    net = tool.FlowLowToHigh(tool.hl.preset("smoke")).eval()
    found = tool.unexplained(net)
    for t in tool.TIMES:
        assert found[str(t)] == [1.0] * len(tool.BANDS)
    assert sum(found["of what LR lacks"]) == pytest.approx(1, abs=0.003)
    net.mean.forward = lambda lo: tool.enlarged(lo, 64)
    assert tool.unexplained(net)["not in the mean"] == [1.0] * len(tool.BANDS)


def test_a_row_is_trained_once_and_seeds_are_merged(tool, tmp_path, monkeypatch):
    monkeypatch.setitem(tool.LENGTHS, "smoke", (2, 2))
    monkeypatch.setattr(tool, "N_TEST", 8)
    for seed in (0, 1):
        tool.score(tool.Study("smoke", "cpu", tmp_path, seed), "bilinear")
    once = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*.json")}
    assert len(once) == 6  # of a row its cost and scores, of the pairs their scores, for each seed
    tool.score(tool.Study("smoke", "cpu", tmp_path), "bilinear")
    assert once == {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*.json")}
    found = tool.merged(tmp_path)
    assert found["seeds"] == {"bilinear": 2} and found["cost"]["bilinear"]["images"] == 8
    each = [json.loads((tmp_path / f"bilinear-{s}/scores.json").read_text()) for s in (0, 1)]
    psnr = [on["scores"]["camera"]["psnr"] for on in each]
    assert psnr[0]["value"] != psnr[1]["value"]
    both = found["scores"]["bilinear"]["camera"]["psnr"]
    assert both["value"] == pytest.approx(sum(p["value"] for p in psnr) / 2)
    assert both["ci"] == [min(p["ci"][0] for p in psnr), max(p["ci"][1] for p in psnr)]
    assert "Not run:" in tool.restorer_table(found) and "bilinear" in tool.degradation_table(found)
    assert tool.merged(tmp_path, ["bilinear"]) == found
    assert tool.merged(tmp_path, ["flow"]) == {}, "nor the pairs, which are another row's"


def test_a_run_that_another_process_trains_is_waited_for(tool, tmp_path, monkeypatch):
    held, seen = Lock(tmp_path), []

    def sleep(seconds):
        if seconds == tool.WAIT_S:  # else another thread's
            seen.append(seconds)
            held.release()

    monkeypatch.setattr(tool.time, "sleep", sleep)
    with tool.only_one(tmp_path):
        assert seen == [tool.WAIT_S]
