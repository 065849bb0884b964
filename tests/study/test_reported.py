"""The reported figures: each with a certainty, none missing, the table shows all."""

import json
from pathlib import Path

from hlgan_lib.study.grid import AXES
from hlgan_lib.study.reported import REPORTED, SURE, reported_table


def test_every_figure_says_how_sure_it_is():
    for r in REPORTED:
        for value, sure in ((r.fid, r.fid_sure), (r.psnr, r.psnr_sure)):
            assert (value is None) == (sure == "") and (not sure or sure in SURE)
        assert r.cell is None or r.cell in (*AXES["baselines"].cells, "srgan", "cyclegan")
    assert len({r.method for r in REPORTED}) == len(REPORTED)


def test_the_table_shows_each_figure_in_its_row_and_says_that_none_compares():
    table = reported_table()
    for r in REPORTED:
        row = next(line for line in table.splitlines() if line.startswith(f"| {r.method} |"))
        assert (f"{r.fid:.2f}" in row) and (r.psnr is None or f"{r.psnr:.2f}" in row)
    assert "Not comparable" in table and all(f"**{letter}**" in table for letter in SURE)


def test_the_table_of_notebook_five_is_this_one():
    cells = json.loads(
        (Path(__file__).parents[2] / "notebooks" / "05_evaluation.ipynb").read_text()
    )["cells"]
    [page] = [t for c in cells if "Reported in the paper" in (t := "".join(c["source"]))]
    rows = [
        line.replace("*", "").split("|")[1:-1] for line in page.splitlines() if line.startswith("|")
    ][2:]
    wanted = []
    for r in REPORTED:
        fid, psnr = ("" if value is None else f"{value:.2f}" for value in (r.fid, r.psnr))
        wanted.append([r.method, fid, r.fid_sure, psnr, r.psnr_sure])
    assert [[c.strip() for c in row] for row in rows] == wanted
