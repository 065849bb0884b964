"""docs/models.md: the tool's cards, one for each weight, nothing claimed without a number."""

from pathlib import Path

from hlgan_lib.inference import shipped_weights

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


TOOL = "model_cards"


def test_the_cards_are_what_the_tool_writes(tool):
    between = PAGE.split("<!-- cards:begin -->\n")[1].split("<!-- cards:end -->")[0].strip()
    assert between == tool.cards(), "python tools/results/model_cards.py"


def test_every_shipped_weight_has_a_whole_card():
    sections = PAGE.split("\n## `")[1:]
    assert [s.split("`")[0] for s in sections] == list(shipped_weights())
    for section in sections:
        for part in ("**Trained on**", "**Cost**", "**Measured**", "**Measured failures**"):
            assert part in section, section[:40]
    for part in ("**Intended use**", "**Not for**", "**Data**", "**Bias**", "**Terms**"):
        assert part in PAGE


def test_numbers_for_all_are_the_stored_ones(tool):
    rare = tool.read("trust")["triage"]["failed"]["rare face"]["times"]
    assert f"fail {rare:.1f} times as often" in PAGE
    bicubic = tool.read("ablation")["references"]["bicubic"]["scores"]
    psnr, far = bicubic["camera"]["psnr"]["value"], bicubic["wild"]["frechet_lite0"]["value"]
    assert f"Bicubic enlargement: PSNR {psnr:.2f} dB, Fréchet {far:.0f}." in PAGE


def test_failures_follow_the_numbers(tool):
    bicubic = tool.read("ablation")["references"]["bicubic"]["scores"]
    scores = {
        "camera": {"psnr": {"value": 99.0}},
        "clean": {"psnr": {"value": 99.0}},
        "wild": {"frechet_lite0": {"value": 50.0}},
    }
    assert len(tool.failures("srgan", scores, bicubic)) == 2, "skin and look"
    scores["camera"]["psnr"]["value"] = scores["clean"]["psnr"]["value"] = 10.0
    scores["wild"]["frechet_lite0"]["value"] = 300.0
    said = tool.failures("srgan", scores, bicubic)
    assert "dB below bicubic" in said[0] and len(said) == 5
    assert said[-1].startswith("114 of 600 restored test faces lie too far from their truth")
    said = " ".join(tool.failures("l2h", scores, bicubic))
    assert "16 of 600 restored test faces fail" in said and "flags 12 of them" in said
    skin = tool.read("bias")["rows"]["l2h"]["skin"]
    assert tool.lighter(skin["dark"]) == "0.8 lighter" in said
    assert tool.lighter(skin["light"]) == "1.4 darker" in said
