"""Tables hold the stored numbers; the README's is regenerated to the byte."""

from pathlib import Path

from hlgan_lib.study import tables
from hlgan_lib.study.results import load

ROOT = Path(__file__).parents[2]


def test_tables_hold_the_stored_numbers(stored):
    rows = tables.axis_table(stored, "matrix").splitlines()
    learned = next(r for r in rows if r.startswith("| learned camera, pixel only"))
    assert "| 19.61 +- 0.01 |" in learned and "| 2 |" in learned
    assert rows[-1].startswith("Not run: blur + bilinear, pixel only; hand-made")
    readme = tables.readme_table(stored)
    assert (
        "40% (95 % interval 30% to 50%)" in readme
        and "no ratio: from 400 over 410 to 399" in readme
    )
    gaps = tables.gap_table(stored)
    assert (
        "| learned camera | pixel only | PSNR (dB) | 19.00 | 19.60 | 20.50 | 40% | 30% to 50% |"
        in gaps
    )


def test_the_block_of_the_readme_is_regenerated_to_the_byte():
    page = (ROOT / "README.md").read_text()
    block = page.split("<!-- results:begin -->")[1].split("<!-- results:end -->")[0]
    assert block.strip("\n") == tables.readme_table(load(ROOT / "results"))


def test_a_row_without_runs_says_so(stored):
    assert tables.number([], "camera", "psnr", 2) == "not run"
    assert tables.percent(None) == "not run"
    said = tables.findings(stored).splitlines()
    assert said[-1].startswith("- Not run: ") and not any("not run" in line for line in said)
    assert any(line.startswith("- On real LR. PSNR (dB): learned camera, pixel") for line in said)


def test_an_axis_of_one_run_variant_is_no_table(stored):
    text = tables.axis_table(stored, "paper")
    assert text.startswith("Not run: ") and "batch norm" in text and "|" not in text
