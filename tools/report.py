"""Score the study runs, ship their weights, draw the figures and the README's table. Called by tools/results.py."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import torch
from torch.nn.functional import interpolate

import hlgan_lib as hl
from hlgan_lib.checkpoint import read_weights, save_weights, stored_config
from hlgan_lib.degrade import bicubic, bilinear, second_order
from hlgan_lib.metrics import extract, frechet, psnr, ssim, subsample
from hlgan_lib.stats import gap_closed
from hlgan_lib.viz import bars, face_grid, save_figure
from results import DEGRADATIONS, ROOT, finished, plan


def score(runs: Path, out: Path = ROOT / "results") -> None:
    """Score what is finished on `faces:test` and write results/study.json. Reported numbers use the last weights."""
    test = hl.load_faces("faces:test")
    hi, lo = test.hi.batch(), test.lo.batch()
    done = [r for r in plan() if finished(runs, r.name)]

    def rng(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 + seed)

    # H2L: Frechet distance of its pictures of the test faces to the camera's of the same faces, beside other ways
    shots = extract((lo + 1) / 2, enlarge=True)
    ways = {
        "bilinear": [bilinear(hi)],
        "bicubic": [bicubic(hi)],
        "handmade": [second_order(hi, rng(0))],
        "camera": [hl.Camera()(hi, rng(s)).lo for s in range(3)],
        "learned": [hl.degrade(runs / r.name, hi, seed=r.seed)[:, 0] for r in done if r.stage == "h2l"],
    }
    h2l = {
        k: {"seeds": [round(frechet(extract((x + 1) / 2, enlarge=True), shots), 2) for x in v]}
        for k, v in ways.items()
        if v
    }

    # L2H: pairs, and the distance of the restored test faces to the sharp training faces, at equal n
    reference = extract((hl.load_faces("faces:train-hi").batch() + 1) / 2)
    equal = reference[subsample(len(reference), len(hi), 0)]
    rows: dict[str, dict] = {}
    feats: dict[str, list] = {}
    faces: dict[str, list] = {}
    restored = [("bicubic", -1, torch.nn.functional.interpolate(lo, size=64, mode="bicubic").clamp(-1, 1))]
    restored += [(f"{r.degradation}-{r.loss}", r.seed, hl.upscale(runs / r.name, lo)) for r in done if r.stage == "l2h"]
    for name, seed, fake in restored:
        a, b = (fake + 1) / 2, (hi + 1) / 2
        row = rows.setdefault(name, {"seeds": [], "psnr": [], "ssim": [], "frechet": []})
        faces.setdefault(name, []).append(psnr(a, b))
        feats.setdefault(name, []).append(extract(a))
        row["seeds"].append(seed)
        row["psnr"].append(round(faces[name][-1].mean().item(), 3))
        row["ssim"].append(round(ssim(a, b).mean().item(), 4))
        row["frechet"].append(round(frechet(feats[name][-1], equal), 1))
    gaps = {}
    for key, loss, values, ref in (
        ("psnr_pixel", "pixel", faces, None),
        ("frechet_gan", "gan", feats, reference),
        ("psnr_gan", "gan", faces, None),
        ("frechet_pixel", "pixel", feats, reference),
    ):
        names = [f"{d}-{loss}" for d in DEGRADATIONS]
        if all(n in values for n in names):
            pack = (lambda v: v) if ref is not None else torch.stack
            gaps[key] = gap_closed(*(pack(values[n]) for n in names), reference=ref)
    about = {
        "preset": "study",
        "test": "faces:test",
        "n": len(hi),
        "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}, one thread a training",
        "torch": torch.__version__,
        "floor_hi": round(frechet(extract(b), equal), 1),
        "runs": {r.name: json.loads((runs / r.name / "scores.json").read_text()) for r in done},
    }
    result = {
        "about": about,
        "h2l": h2l,
        "l2h": rows,
        "gap_closed": gaps,
        "psnr_faces": {k: [[round(float(x), 2) for x in v] for v in seeds] for k, seeds in faces.items()},
    }
    out.mkdir(exist_ok=True)
    (out / "study.json").write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    for part in (h2l, {k: {m: v[m] for m in ("psnr", "ssim", "frechet")} for k, v in rows.items()}, gaps):
        print(json.dumps(part, indent=1))


def percent(gap: dict) -> str:
    """A closed gap in words: ratio and interval, or both ends where a ratio would mean nothing."""
    if gap["ratio"] is None:
        return f"no ratio: from {gap['low']:.2f} to {gap['high']:.2f}, learned {gap['mid']:.2f}"
    low, high = gap["ratio_ci"]
    return f"{gap['ratio']:.0%} (95 % interval {low:.0%} to {high:.0%})"


def readme_table(stored: dict) -> str:
    """The README's results, as Markdown, from results/study.json alone."""
    about, rows = stored["about"], stored["l2h"]

    def cell(values: list[float], digits: int) -> str:
        spread = f" +- {(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
        return f"{sum(values) / len(values):.{digits}f}{spread}"

    lines = [
        f"Measured on `faces:test` (n = {about['n']}), preset `study`, {about['hardware']}; +- is half the "
        "range over seeds. Made by `make results`, stored in `results/study.json`.",
        "",
        "| L2H trained on | loss | seeds | PSNR dB | SSIM | Frechet (Lite0) | minutes |",
        "|---|---|---|---|---|---|---|",
        f"| (bicubic enlargement) | | | {cell(rows['bicubic']['psnr'], 2)} | {cell(rows['bicubic']['ssim'], 3)} | "
        f"{cell(rows['bicubic']['frechet'], 0)} | |",
    ]
    for loss, words in (("gan", "GAN-led"), ("pixel", "pixel only")):
        for d, way in (
            ("bilinear", "bilinear pairs"),
            ("learned", "**learned (H2L) pairs**"),
            ("camera", "camera (oracle)"),
        ):
            if row := rows.get(f"{d}-{loss}"):
                seconds = [about["runs"][f"l2h-{d}-{loss}-s{s}"]["seconds"] for s in row["seeds"]]
                lines.append(
                    f"| {way} | {words} | {len(row['seeds'])} | {cell(row['psnr'], 2)} | {cell(row['ssim'], 3)} | "
                    f"{cell(row['frechet'], 0)} | {sum(seconds) / len(seconds) / 60:.0f} |"
                )
    lines += [
        "",
        f"The floor of that Frechet distance (test faces' own truth) is {about['floor_hi']:.0f}. H2L's pictures lie "
        f"{cell(stored['h2l']['learned']['seeds'], 0)} from the camera's shots of the same people; bilinear ones "
        f"{cell(stored['h2l']['bilinear']['seeds'], 0)}, "
        f"the camera's own again {cell(stored['h2l']['camera']['seeds'], 0)}.",
        "",
    ]
    for key, words in (("frechet_gan", "in Frechet distance, GAN-led"), ("psnr_pixel", "in PSNR, pixel only")):
        if gap := stored["gap_closed"].get(key):
            lines.append(
                f"- Gap between bilinear and oracle that the learned degradation closes, {words}: {percent(gap)}."
            )
    return "\n".join(lines)


def figures(runs: Path) -> None:
    """Draw figures/ from results/study.json and the shipped weights, and write the README's table."""
    stored = json.loads((ROOT / "results" / "study.json").read_text())
    made = {"command": "make results", "preset": "study", "seed": 0}
    test = hl.load_faces("faces:test")
    hi, lo = test.hi.batch(slice(0, 8)), test.lo.batch(slice(0, 8))
    bicubic = interpolate(lo, size=64, mode="bicubic").clamp(-1, 1)
    rows = {"poor": lo, "bicubic": bicubic, "ours": hl.upscale("l2h", lo), "truth": hi}
    alt = "The first eight test faces in four rows: poor 16x16 shot, bicubic enlargement, restored by L2H, sharp truth"
    save_figure(face_grid(rows, alt=alt), ROOT / "figures" / "hero.png", alt, **made)

    z = hl.degrade("h2l", hi, n_z=3)
    rows = {
        "sharp": hi,
        "bilinear": bilinear(hi),
        "learned, z 1": z[:, 0],
        "learned, z 2": z[:, 1],
        "learned, z 3": z[:, 2],
        "camera (truth)": lo,
    }
    alt = "The first eight test faces: sharp, shrunk bilinearly, degraded by H2L under three z, the camera's shot"
    save_figure(face_grid(rows, alt=alt), ROOT / "figures" / "h2l.png", alt, **made)

    rows = {"poor": lo}
    for loss, words in (("pixel", "pixel"), ("gan", "GAN-led")):
        for d in DEGRADATIONS:
            if finished(runs, f"l2h-{d}-{loss}-s0"):
                rows[f"{d}, {words}"] = hl.upscale(runs / f"l2h-{d}-{loss}-s0", lo)
    rows["truth"] = hi
    alt = "The first eight test faces restored by L2H: bilinear, learned and camera pairs, pixel-only and GAN-led"
    save_figure(face_grid(rows, alt=alt), ROOT / "figures" / "matrix.png", alt, **made)

    for metric, what in (
        ("psnr", "PSNR on the paired camera test (dB), higher is better"),
        ("frechet", "Frechet distance (EfficientNet-Lite0) to sharp faces, lower is better"),
    ):
        values = {
            k: (sum(v[metric]) / len(v[metric]), min(v[metric]), max(v[metric])) for k, v in stored["l2h"].items()
        }
        alt = f"Bars of {what}: " + ", ".join(f"{k} {v[0]:.4g}" for k, v in values.items())
        reference = {"floor": stored["about"]["floor_hi"]} if metric == "frechet" else None
        save_figure(
            bars(values, xlabel=what, alt=alt, reference=reference),
            ROOT / "figures" / f"study-{metric}.png",
            alt,
            **made,
        )

    readme = (ROOT / "README.md").read_text()
    begin, end = "<!-- results:begin -->", "<!-- results:end -->"
    head, tail = readme.split(begin)[0], readme.split(end)[1]
    (ROOT / "README.md").write_text(f"{head}{begin}\n{readme_table(stored)}\n{end}{tail}")


SHIPPED = {
    "h2l": "h2l-s0",
    "l2h": "l2h-learned-gan-s0",
    "l2h-pixel": "l2h-learned-pixel-s0",
    "l2h-bilinear": "l2h-bilinear-gan-s0",
}


def ship(runs: Path, into: Path = ROOT / "hlgan_lib" / "weights") -> None:
    """Copy the weights of seed 0 into the package, in half precision, with a card each."""
    stored = json.loads((ROOT / "results" / "study.json").read_text())
    test = hl.load_faces("faces:test")
    hi, lo = test.hi.batch(slice(0, 64)), test.lo.batch(slice(0, 64))
    into.mkdir(exist_ok=True)
    for name, run in SHIPPED.items():
        if not finished(runs, run):
            print(f"{name} is not shipped: {run} is not finished")
            continue
        state, metadata = read_weights(runs / run / "weights.safetensors")
        cfg, stage = stored_config(metadata), metadata.pop("stage")
        extra = {k: v for k, v in metadata.items() if k != "config"}
        save_weights(
            into / f"{name}.safetensors",
            {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
            stage,
            cfg,
            extra | {"run": run, "dtype": "float16"},
        )
        with torch.no_grad():
            rows = (
                {"sharp": hi, "learned": hl.degrade(into / f"{name}.safetensors", hi)[:, 0]}
                if stage == "h2l"
                else {"poor": lo, "restored": hl.upscale(into / f"{name}.safetensors", lo), "truth": hi}
            )
        alt = f"64 unselected test faces under {name}: rows of {', '.join(rows)}"
        blocks = {f"{row} {8 * i + 1}-{8 * i + 8}": x[8 * i : 8 * i + 8] for i in range(8) for row, x in rows.items()}
        face_grid(blocks, alt=alt, n=8).savefig(into / f"{name}.jpg", dpi=70)
        (into / f"{name}.md").write_text(card(name, run, stage, cfg, stored, alt))


def card(name: str, run: str, stage: str, cfg, stored: dict, alt: str) -> str:
    """What a user of shipped weights must know, as Markdown."""
    about, done = stored["about"], stored["about"]["runs"][run]
    if stage == "h2l":
        ways = stored["h2l"]
        scores = (
            f"Frechet distance (EfficientNet-Lite0, n = {about['n']}) to the camera's shots of `faces:test`: "
            f"{ways['learned']['seeds'][0]}; bilinear {ways['bilinear']['seeds'][0]}, the camera itself "
            f"{ways['camera']['seeds'][0]}"
        )
        data = "`faces:train-hi` and, unpaired, `faces:train-lo`"
    else:
        row = stored["l2h"][run.removeprefix("l2h-").removesuffix("-s0")]
        scores = (
            f"on `faces:test` (n = {about['n']}): PSNR {row['psnr'][0]} dB, SSIM {row['ssim'][0]}, Frechet distance "
            f"(EfficientNet-Lite0) to `faces:train-hi` {row['frechet'][0]}; floor {about['floor_hi']}"
        )
        data = "`faces:train-hi`, " + ("shrunk bilinearly" if "bilinear" in run else "degraded by the shipped `h2l`")
    loss = "" if cfg.w_gan else ", pixel loss only"
    network = "HighToLow" if stage == "h2l" else "LowToHigh"
    return f"""# Weights `{name}`

![{alt}]({name}.jpg)

| | |
|---|---|
| network | {network}, preset `{about["preset"]}`{loss} |
| data | {data} |
| seed | {cfg.seed} |
| images seen | {done["images"]:,} |
| scores | {scores} |
| hardware | {about["hardware"]}; {done["seconds"] / 60:.0f} minutes |
| stored as | float16 safetensors, EMA weights; configuration in the metadata |
| terms | teaching and research, non-commercial (`LICENSE-DATA`) |
| intended use | teaching what a learned degradation is worth; never to identify anybody |
| limits | mostly frontal generated faces; one simulated camera; details of restored faces are invented |
"""
