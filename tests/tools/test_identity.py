"""What docs/metrics.md says of a face descriptor is what is stored."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_says_what_is_stored():
    views = json.loads((ROOT / "results" / "identity.json").read_text())["views"]
    at = {name: f"{view['dlib']['auc']:.3f}" for name, view in views.items()}
    page = " ".join((ROOT / "docs" / "metrics.md").read_text("utf-8").split())
    for words in (
        f"Framed anew {at['framed']}, lit anew too {at['framed, lit']},",
        f"degraded too {at['framed, lit, spoilt']}; restored by `l2h` {at['restored by l2h']}, by",
        f"`l2h-pixel` {at['restored by l2h-pixel']}, by",
        f"`l2h-bilinear` {at['restored by l2h-bilinear']}; plain bicubic {at['bicubic']}.",
    ):
        assert words in page
