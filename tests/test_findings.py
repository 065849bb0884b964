"""What docs/findings.md says is what is stored, or measured again here."""

import json
from pathlib import Path

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib.analysis.camera_law import coupling
from hlgan_lib.analysis.jpeg_traces import measured_jpeg
from hlgan_lib.degradations.handmade import bilinear as bilinear_of
from hlgan_lib.inference import shots
from hlgan_lib.study.grid import AXES, CELLS
from hlgan_lib.study.numbers import h2l_runs
from hlgan_lib.study.results import load

ROOT = Path(__file__).resolve().parents[1]
PAGE = " ".join((ROOT / "docs" / "findings.md").read_text().split())
SEEDS = {1: "one seed", 2: "two seeds", 3: "three seeds"}


@pytest.fixture(scope="module")
def stored():
    return load(ROOT / "results")


def of_gap(gap):
    low, high = gap["ratio_ci"]
    return f"{100 * gap['ratio']:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"


def test_the_share_that_the_learned_camera_closes(stored):
    learned, handmade = (stored.gaps[f"psnr/pixel/{d}"] for d in ("learned", "handmade"))
    assert f"camera close {of_gap(learned)} of the gap in PSNR" in PAGE
    assert f"hand-made pairs close {of_gap(handmade)}" in PAGE
    assert f"pixel-only restorers, {SEEDS[learned['n_seeds']['mid']]}." in PAGE
    assert learned["ratio_ci"][0] > 0.85 and "85 %: it is reached." in PAGE
    seeds = {d: stored.values(f"{d}-pixel", "camera", "psnr") for d in ("learned", "handmade")}
    assert min(seeds["learned"]) > max(seeds["handmade"])
    assert min(seeds["handmade"]) > max(stored.values("bilinear-pixel", "camera", "psnr"))


def mean(values):
    return sum(values) / len(values)


def test_the_gan_led_restorer_of_the_learned_camera(stored):
    gap = stored.gaps["frechet_lite0/gan/learned"]
    seeds = SEEDS[gap["n_seeds"]["mid"]]
    low, high = gap["ratio_ci"]
    assert f"({seeds}; of the gap {100 * gap['ratio']:.0f} % ({100 * low:.0f} to" in PAGE
    assert low > 0.85
    distance, psnr = {}, {}
    for d in ("bilinear", "handmade", "learned", "camera"):
        distance[d] = mean(stored.values(f"{d}-gan", "wild", "frechet_lite0"))
        psnr[d] = mean(stored.values(f"{d}-gan", "camera", "psnr"))
    assert f"distance of {distance['learned']:.0f}, where bilinear pairs give" in PAGE
    assert f"{distance['bilinear']:.0f} and hand-made ones {distance['handmade']:.0f}," in PAGE
    assert f"a PSNR of {psnr['learned']:.2f} dB against {psnr['bilinear']:.2f} and" in PAGE
    assert f"own pairs ({distance['camera']:.0f}; {psnr['camera']:.2f} dB)" in PAGE
    oracle = stored.values("camera-gan", "wild", "frechet_lite0")
    assert f"seeds scatter over {max(oracle) - min(oracle):.0f};" in PAGE
    bicubic = stored.references["bicubic"]["scores"]["camera"]["psnr"]["value"]
    assert f"higher PSNR, {bicubic:.2f} dB" in PAGE and bicubic > max(psnr.values())
    assert psnr["learned"] >= psnr["bilinear"]


def test_the_papers_h2l_ignores_z_and_closes_as_much_as_hand_made_pairs(stored):
    gap = stored.gaps["psnr/pixel/paper"]
    assert f"worth {of_gap(gap)} of the gap, as much as" in PAGE
    assert f"hand-made pairs ({SEEDS[gap['n_seeds']['mid']]})" in PAGE
    runs = h2l_runs(stored, CELLS["paper-pixel"])
    distance = mean([r["scores"]["frechet_lite0"]["value"] for r in runs])
    bilinear, camera = (stored.references[f"h2l:{d}"]["scores"] for d in ("bilinear", "camera"))
    assert f"(Fréchet {distance:.0f}) as bilinear ones do" in PAGE
    assert f"({bilinear['frechet_lite0']['value']:.0f}), and it ignores z" in PAGE
    spread = mean([r["scores"]["diversity"]["total"] for r in runs])
    assert f"changes by {spread:.4f} of full scale, under the camera by" in PAGE
    assert f"{camera['diversity']['total']:.4f}. Where" in PAGE and spread < 0.01
    val = hl.load_faces("faces:val")
    hi, real = val.hi.batch(), val.lo.batch()
    made = shots("learned:h2l-paper", hi)[0]
    own, true = (coupling(lo, hi)["light"] for lo in (made, real))
    assert f"(slope {own:.2f} over faces; {true:.2f} under the camera)" in PAGE
    assert (made.mean() - real.mean()).abs() < 0.01 < (bilinear_of(hi).mean() - real.mean()).abs()


def test_a_measured_jpeg_is_most_of_what_the_papers_h2l_lacks(stored):
    gap, blur = (stored.gaps[f"psnr/pixel/{d}"] for d in ("paperjpeg", "blur"))
    assert f"terms close {of_gap(gap)} of the gap ({SEEDS[gap['n_seeds']['mid']]})" in PAGE
    assert f"closes {of_gap(blur)} of the gap ({SEEDS[blur['n_seeds']['mid']]})" in PAGE
    assert gap["ratio_ci"][0] > stored.gaps["psnr/pixel/paper"]["ratio_ci"][1]
    assert stored.gaps["psnr/pixel/learned"]["ratio_ci"][0] > gap["ratio_ci"][1]

    def of_pictures(cell):
        runs = h2l_runs(stored, CELLS[cell])
        return mean([run["scores"]["frechet_lite0"]["value"] for run in runs])

    near, far = of_pictures("paperjpeg-pixel"), of_pictures("paper-pixel")
    assert f"lie at {near:.0f} from real ones instead of {far:.0f}." in PAGE
    runs = [run["scores"]["diversity"] for run in h2l_runs(stored, CELLS["paperjpeg-pixel"])]
    total, colour = (mean([run[part] for run in runs]) for part in ("total", "colour"))
    camera = stored.references["h2l:camera"]["scores"]["diversity"]["colour"]
    assert f"spread of {total:.3f} over one face" in PAGE
    assert f"({colour:.3f}; {camera:.3f} under the camera)" in PAGE


def test_what_is_said_of_the_earlier_network(stored):
    earlier = json.loads((ROOT / "results" / "earlier_study.json").read_text())
    network = earlier["network"]
    assert f"It closed {of_gap(network['psnr/pixel/learned'])} of the gap" in PAGE
    assert f"with a measured JPEG behind it {of_gap(network['psnr/pixel/coded'])[:-1]};" in PAGE
    assert f"kept {network['warmth kept']:.2f} of a face's own warmth" in PAGE
    assert f"camera keeps {network['warmth kept by the camera']:.2f}:" in PAGE
    low, mid, high = network["seed 0, frechet_lite0/gan"].values()
    assert f"seed 0 alone closed {100 * (low - mid) / (low - high):.0f} % of the gap" in PAGE
    all_seeds = network["frechet_lite0/gan/learned"]["ratio"]
    assert f"three seeds {100 * all_seeds:.0f} %, and a training" in PAGE
    ends = [f"{100 * end:.0f}" for end in earlier["share_ci"]]
    assert f"closed {100 * earlier['share_closed']:.0f} % ({ends[0]} to {ends[1]} %)" in PAGE
    longer = json.loads((ROOT / "results" / "h2l_longer.json").read_text())
    far, near = longer["frechet_to_shots"]
    assert f"(Fréchet {near:.1f} instead of {far:.1f})" in PAGE
    usual, longest = longer["l2h_psnr"]
    assert f"({longest:.2f} instead of {usual:.2f} dB" in PAGE


def test_at_length_the_learned_camera_is_ahead_in_both_measures():
    large = json.loads((ROOT / "results" / "gpu-weights.json").read_text())
    scores = {}
    for name in ("l2h", "l2h-handmade", "l2h-bilinear"):
        found = large[name]["scores"]
        psnr = found["camera"]["psnr"]["value"]
        scores[name] = psnr, -found["wild"]["frechet_lite0"]["value"]
    assert "ahead of hand-made and of bilinear ones in PSNR and in distance alike" in PAGE
    for name in ("l2h-handmade", "l2h-bilinear"):
        assert all(ours > other for ours, other in zip(scores["l2h"], scores[name], strict=True))


def test_in_the_short_study_hand_made_pairs_are_near_and_lose_in_psnr(stored):
    def means(metric, test):
        ways = ("bilinear", "handmade", "camera")
        values = [stored.values(f"{way}-gan", test, metric) for way in ways]
        return [sum(v) / len(v) for v in values]

    bilinear, handmade, camera = means("frechet_lite0", "wild")
    assert "nearer than the camera itself, and lose in PSNR" in PAGE
    assert handmade < camera < bilinear
    bilinear, handmade, camera = means("psnr", "camera")
    assert handmade < bilinear < camera


def test_how_nearly_the_jpeg_is_measured():
    quality, half = measured_jpeg(hl.load_faces("faces:train-lo").batch())
    drawn = hl.Camera().draw(20_000, torch.Generator().manual_seed(0))["site_quality"].double()
    at = torch.arange(1, 10, dtype=torch.float64) / 10
    assert (
        "deciles of quality lie within two" in PAGE
        and (quality.quantile(at) - drawn.quantile(at)).abs().max() <= 2
    )
    assert f"{100 * half:.0f} % of the photographs" in PAGE
    assert f"camera draws {100 * hl.Camera().p_subsampled:.0f} %" in PAGE


def test_every_cell_was_run(stored):
    assert "All of the grid was run" in PAGE
    assert all(len(stored.found(cell)) >= cell.seeds for cell in CELLS.values())


def of_cell(stored, cell):
    """Mean PSNR and Fréchet distance over its seeds."""
    psnr, distance = (("camera", "psnr"), ("wild", "frechet_lite0"))
    return mean(stored.values(cell, *psnr)), mean(stored.values(cell, *distance))


def test_the_sweep_of_beta(stored):
    cells = AXES["beta"].cells
    psnr, distance = zip(*(of_cell(stored, cell) for cell in cells), strict=True)
    assert list(psnr) == sorted(psnr, reverse=True) and min(distance) == distance[3]
    assert f"{psnr[0]:.2f} to {psnr[-1]:.2f} dB; the Fréchet distance falls from" in PAGE
    assert f"falls from {distance[0]:.0f} to {distance[3]:.0f} at 0.05" in PAGE
    assert f"distance is {distance[1]:.0f} already, at {psnr[1]:.2f} dB" in PAGE


def test_the_parts(stored):
    said = {
        "z-none": "({0:.2f} instead of 20.60)",
        "no-statistics": "GAN loss alone teaches {0:.2f} dB",
        "no-gan": "the statistics alone {0:.2f}:",
        "residual": "adds nothing ({0:.2f}).",
        "paper-letter": "average) give {0:.2f} dB",
        "paper-batch-norm": "changes nothing ({0:.2f}),",
        "paper-5to1": "cost half a dB ({0:.2f})",
        "paper-no-skip": "than with them ({0:.2f} instead of 19.80)",
        "lo-100": "as good as 4,800 ({0:.2f} and 20.60 dB)",
        "hi-100": "are too few ({0:.2f})",
        "hi-300": "three hundred give {0:.2f}.",
        "d-aug": "both ends ({0:.2f} dB, distance {1:.0f}, beside 18.93 and 188)",
        "joint": "fine-tune ({0:.2f}, {1:.0f})",
        "updates-5to1": "one rate hurt ({0:.2f}, {1:.0f})",
        "no-spectral": "PSNR is higher ({0:.2f}) at the same distance",
    }
    for cell, words in said.items():
        assert words.format(*of_cell(stored, cell)) in PAGE, cell
    assert f"{of_cell(stored, 'learned-pixel')[0]:.2f}" == "20.60"
    assert f"{of_cell(stored, 'paper-pixel')[0]:.2f}" == "19.80"
    assert "{:.2f} {:.0f}".format(*of_cell(stored, "learned-gan")) == "18.93 188"


def test_the_same_cells_on_a_cpu(stored):
    on_cpu = json.loads((ROOT / "results" / "study_on_cpu.json").read_text())
    for cell, scores in on_cpu["cells"].items():
        psnr, distance = of_cell(stored, cell)
        if cell.endswith("-pixel"):
            assert abs(psnr - mean(scores["psnr"])) < 0.02 and "within 0.02 dB" in PAGE
        if cell.endswith("-gan"):
            assert abs(distance - mean(scores["frechet_lite0"])) < 13.5 and "up to 13 apart" in PAGE
    for key, gap in on_cpu["gaps"].items():
        if key.startswith("psnr/pixel"):
            assert abs(stored.gaps[key]["ratio"] - gap["ratio"]) < 0.02
