"""What docs/data.md says of the cost of `hlgan prepare` is what is stored."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_says_what_is_stored():
    rows = json.loads((ROOT / "results" / "prepare-scale.json").read_text())["rows"]
    page = " ".join((ROOT / "docs" / "data.md").read_text("utf-8").split())
    assert [row["n"] for row in rows] == [2_000, 20_000, 200_000]
    for row in rows:
        wall = f"{row['prepare_s']:.1f} s beside {row['plain_s']:.1f}"
        ours, plain = row["prepare_cpu_s"], row["plain_cpu_s"]
        cells = f"| {row['n']:,} | {wall} | {row['prepare_s'] / row['plain_s']:.2f} "
        cells += f"| {ours:.1f} s beside {plain:.1f} | {ours / plain:.2f} "
        cells += f"| {row['private_mb']:.0f} MB | {row['open_ms']:.0f} ms |"
        assert cells in page
        assert row["private_mb"] < 1_000
    assert rows[-1]["prepare_s"] < 1.3 * rows[-1]["plain_s"]
