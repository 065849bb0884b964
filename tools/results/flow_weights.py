"""Train and ship the weights `flow`: around `l2h-pixel`, on pairs of `h2l`, an hour of a CPU core.

    python tools/results/flow_weights.py runs/flow

May be stopped and called again. Once it is trained: the weights in half precision, a card, samples,
and their scores into results/flow-weights.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

from publish import replace_if_new, samples, weigh
from successors import FLOW, drawn_one, spread_of, unexplained

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder, read_weights, save_weights, stored_config
from hlgan_lib.files import save_json, user_path
from hlgan_lib.inference import SHIPPED
from hlgan_lib.networks.flow import FlowLowToHigh
from hlgan_lib.runtime import hardware, one_thread
from hlgan_lib.study.scoring import score_restorer

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "flow-weights.json"
NAME = "flow"
UPDATES = 10_000


def train(run: RunFolder, updates: int = UPDATES, preset: str = "study") -> None:
    """Train the flow to its end, or go on with it."""
    cfg = hl.preset(preset).replace(flow_steps=updates, amp="off", **FLOW)
    ticks = hl.train(
        cfg,
        "flow",
        degradation="learned:h2l",
        l2h="l2h-pixel",
        out=run.path,
        resume=run.config.is_file(),
        device="cpu",
    )
    for tick in ticks:
        print(f"{tick.images:,} images", flush=True)


def publish(run: RunFolder, into: Path = SHIPPED, stored: Path = STORED) -> None:
    """Ship finished weights."""
    state, metadata = read_weights(run.weights)
    cfg, stage = stored_config(metadata), metadata.pop("stage")
    notes = {k: v for k, v in metadata.items() if k != "config"} | {"dtype": "float16"}
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    path = into / f"{NAME}.safetensors"
    fresh = path.with_suffix(".new")
    save_weights(fresh, half, stage, cfg, notes)
    replace_if_new(path, fresh)
    weigh(into)
    net = cast(FlowLowToHigh, hl.load_weights(path))
    entry: dict[str, Any] = {"notes": notes, "hardware": hardware()}
    entry["scores"] = score_restorer(lambda lo: drawn_one(net, lo)).scores
    entry |= {"spread": spread_of(net), "bands": unexplained(net)}
    save_json(stored, entry)
    (into / f"{NAME}.md").write_text(card(entry, cfg, samples(path, NAME, stage)))


def card(entry: dict, cfg: hl.RunConfig, alt: str) -> str:
    """What a user of these weights must know, as Markdown."""
    notes, camera, spread = entry["notes"], entry["scores"]["camera"], entry["spread"]
    low, high = camera["psnr"]["ci"]
    distance = entry["scores"]["wild"]["frechet_lite0"]["value"]
    return f"""# {NAME}

| | |
|---|---|
| what | a conditional flow of width {cfg.flow_width}: noise becomes a face around that of `l2h-pixel`, another for each noise |
| trained on | {notes["hi"]}, degraded: the learned camera `h2l` |
| images seen | {int(notes["images"]):,}, and those of `l2h-pixel` |
| took | {int(notes["seconds"]) / 60:.0f} minutes of {entry["hardware"]}; other work ran beside it |
| measured, one draw | on `faces:test` (n = 600): PSNR {camera["psnr"]["value"]:.2f} dB [{low:.2f}, {high:.2f}], SSIM {camera["ssim"]["value"]:.3f}, Fréchet distance (EfficientNet-Lite0) to `faces:train-hi` {distance:.0f} |
| measured, {spread["drawn"]} draws | PSNR of their mean {spread["psnr_mean"]["value"]:.2f} dB; their spread explains {100 * spread["explained"]:.0f} % of its squared error |
| made by | `python tools/results/flow_weights.py`, seed {cfg.seed} |

A draw is one of many faces that fit the LR image, not the person: draw several, and take what
differs between them for invented. What they agree on may be wrong too.

The faces are of people who do not exist (`LICENSE-DATA`): for teaching and research, never to
identify anybody.

![{alt}]({NAME}.jpg)
"""  # noqa: E501 (rows of a table)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=user_path)
    run = RunFolder(parser.parse_args().run)
    with one_thread():
        train(run)
        publish(run)


if __name__ == "__main__":
    main()
