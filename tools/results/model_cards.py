"""Write the cards of docs/models.md: one a shipped weight, of its metadata and stored results.

    python tools/results/model_cards.py

What stands above them holds for all and is written by hand; a test makes the cards anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from publish import between_marks

from hlgan_lib.checkpoint import stored_config, weights_header
from hlgan_lib.inference import shipped_weights
from hlgan_lib.stats import wilson

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "models.md"

WHAT = {
    "cyclegan": "CycleGAN, both directions at once without pairs; a baseline",
    "flow": "a flow around `l2h-pixel`, on pairs of the learned camera; draws many faces",
    "h2l": "H2L, the learned camera; degrades",
    "h2l-paper": "H2L, the paper's network and its two loss terms; degrades",
    "l2h": "L2H, GAN-led, on pairs of the learned camera; restores",
    "l2h-bilinear": "L2H, GAN-led, on bilinear pairs: what `l2h` is compared with",
    "l2h-handmade": "L2H, GAN-led, on hand-made second-order pairs: what `l2h` is compared with",
    "l2h-pixel": "L2H without a GAN loss, on pairs of the learned camera; restores",
    "srgan": "SRGAN on bilinear pairs; a baseline",
}


def read(name: str) -> Any:
    """A stored result."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text())


def with_ends(score: dict, digits: int) -> str:
    """A value and its interval."""
    low, high = score["ci"]
    return f"{score['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def scores_of(name: str) -> dict:
    """What was measured of a weight: the large ones are of a GPU, the small ones of CPU cores.

    Those of the study's table are of the same configurations, trained anew on a GPU.
    """
    large, small = read("gpu-weights"), read("study_on_cpu")["shipped"]
    return (large | small | {"flow": read("flow-weights")})[name]["scores"]


def machine(name: str) -> str:
    """Where it was trained."""
    large = read("gpu-weights")
    if name in large:
        return f"one {large['card']}, {large['beside']}"
    if name == "flow":
        return "one CPU core with other work beside it"
    return "CPU cores of a machine with other work on it, so an upper bound"


def failures(name: str, scores: dict, bicubic: dict) -> list[str]:
    """What it was measured to do badly, in sentences."""
    if name in ("h2l", "h2l-paper"):
        cameras = read("ablation")["references"]["h2l:camera"]["scores"]
        own, true = scores["diversity"]["total"], cameras["diversity"]["total"]
        floor, far = cameras["frechet_lite0"]["value"], scores["frechet_lite0"]["value"]
        return [
            f"Its pictures lie {far:.1f} from the camera's own of the same faces (Fréchet), where "
            f"a second taking of the camera lies {floor:.1f}.",
            f"Spread over draws of one face {own:.4f} of full scale, the camera's {true:.4f}"
            + (": z is ignored." if own < 0.05 * true else "."),
            "It knows the one camera of `faces:train-lo`: for another it must be adapted "
            "(`docs/domains.md`).",
        ]
    said = []
    psnr, usual = scores["camera"]["psnr"], bicubic["camera"]["psnr"]
    if psnr["value"] < usual["value"]:
        said.append(
            f"PSNR on real LR is {usual['value'] - psnr['value']:.2f} dB below bicubic enlargement "
            f"({usual['value']:.2f})."
        )
    clean, better = scores["clean"]["psnr"]["value"], bicubic["clean"]["psnr"]["value"]
    if clean < better:
        said.append(
            f"On bilinear pictures it is worse than bicubic enlargement ({clean:.2f} against "
            f"{better:.2f} dB): it undoes a degradation that is not there."
        )
    distance = scores["wild"]["frechet_lite0"]["value"]
    if distance > 100:
        said.append(f"A set of its faces is far from real ones (Fréchet {distance:.0f}).")
    bias = read("bias")
    if name in bias["rows"]:
        skin = bias["rows"][name]["skin"]
        kept = "{:.0f} % ({:.0f} to {:.0f})".format(*(100 * v for v in bias["rows"][name]["kept"]))
        said.append(
            f"Of a difference in the lightness of skin it keeps {kept}: the dark third of faces "
            f"comes out {lighter(skin['dark'])}, the light third {lighter(skin['light'])}, of 100."
        )
    if name == "flow":
        spread = read(f"{name}-weights")["spread"]
        said.append(
            f"The spread of its draws explains {100 * spread['explained']:.0f} % of the squared "
            "error of their mean: the truth lies outside of what it draws too often."
        )
    trust = read("trust")
    if name in trust["about"]["networks"]:
        test, flag = trust["failures"]["test"], trust["flag"]["trust"]["found"]
        low, high = test["ci"]
        said.append(
            f"{test['failed']} of {test['n']} restored test faces fail, {100 * test['rate']:.1f} % "
            f"({100 * low:.1f} to {100 * high:.1f}), by the rule of notebook 05b; `--trust` flags "
            f"{flag['failed']} of them without the truth."
        )
    elif name in bias["rows"]:
        n = bias["n"]
        failed = round(sum(part["failed"][0] for part in skin.values()) / len(skin) * n)
        low, high = wilson(failed, n)
        said.append(
            f"{failed} of {n} restored test faces lie too far from their truth in look, "
            f"{100 * failed / n:.1f} % ({100 * low:.1f} to {100 * high:.1f}), by the limit that "
            "notebook 05b finds for `l2h`."
        )
    return said


def lighter(scores: dict) -> str:
    """How skin comes out, in words."""
    by = scores["lighter"][0]
    return f"{abs(by):.1f} {'lighter' if by > 0 else 'darker'}"


def card(name: str, path: Path, bicubic: dict) -> str:
    """One weight."""
    notes = weights_header(path)[1]
    cfg = stored_config(notes)
    scores = scores_of(name)
    data = notes["hi"]
    if "lo" in notes:
        data += f" and, unpaired, {notes['lo']}"
    if "degradation" in notes:
        pairs = notes["degradation"]
        data += f", degraded: {'learned camera' if pairs.startswith('learned') else pairs}"
    lines = [f"## `{name}`", "", f"{WHAT[name]}.", ""]
    lines.append(f"- **Trained on** {data}; {int(notes['images']):,} images seen, seed {cfg.seed}.")
    minutes = int(notes["seconds"]) / 60
    size = path.stat().st_size / 1e6
    holds = f"{size:.1f} MB" if size >= 0.1 else f"{1e3 * size:.0f} kB"
    lines.append(f"- **Cost** {minutes:.0f} minutes of {machine(name)}; {holds}.")
    if "camera" in scores:
        on = scores["camera"]
        lines.append(
            f"- **Measured**, real LR: PSNR {with_ends(on['psnr'], 2)} dB, SSIM "
            f"{with_ends(on['ssim'], 3)}, Fréchet to training faces "
            f"{with_ends(scores['wild']['frechet_lite0'], 0)}; bilinear LR: PSNR "
            f"{with_ends(scores['clean']['psnr'], 2)} dB."
        )
    else:
        distance = with_ends(scores["frechet_lite0"], 1)
        lines.append(f"- **Measured**: Fréchet distance to the camera's own pictures {distance}.")
    lines.append("- **Measured failures**")
    lines += [f"    - {sentence}" for sentence in failures(name, scores, bicubic)]
    if "also" in notes:
        lines.append(f"- **Also** trained beside {notes['also']}.")
    return "\n".join(lines)


def cards() -> str:
    """All of them."""
    bicubic = read("ablation")["references"]["bicubic"]["scores"]
    made = [card(name, path, bicubic) for name, path in shipped_weights().items()]
    return "\n\n".join(made)


if __name__ == "__main__":
    between_marks(PAGE, cards(), "cards")
