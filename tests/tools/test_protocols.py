"""Two protocols on the same faces: the page's table is what is stored."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_the_page_is_that_of_the_stored_scores():
    stored = json.loads((ROOT / "results" / "protocols.json").read_text())
    page = (ROOT / "docs" / "metrics.md").read_text()
    table = page[page.index("| set | clean |") : page.index("Stored in `results/protocols.json`")]
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in table.strip().splitlines()]
    protocols = cells[0][1:]
    assert protocols == list(stored["about"]["protocols"])

    rows = {row[0]: row[1:] for row in cells[2:]}
    sets = stored["scores"]
    assert list(rows) == [*sets, "floor"]
    for name, scores in sets.items():
        assert rows[name] == [f"{scores[p]['value']:.0f}" for p in protocols]
    assert rows["floor"] == [f"{sets['bicubic'][p]['floor']:.0f}" for p in protocols]

    def ratio(protocol):
        return sets["l2h-bilinear"][protocol]["value"] / sets["l2h"][protocol]["value"]

    assert f"factor of {ratio('clean'):.0f} by" in page and f"of {ratio('paper'):.1f} by" in page
