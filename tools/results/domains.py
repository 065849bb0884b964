"""Several LR domains: one H2L of five cameras, L2Hs of each and of all, and adaptation to few.

    python tools/results/domains.py [--runs DIR] [--only labels h2l judges near adapt]

Does what results/domains.json does not hold yet, stores each result at once, then rewrites the
tables of docs/domains.md and draws figures/domains.png. About ten minutes of a core: the lengths
of the preset `quick`, one seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

import torch
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib import adaptation
from hlgan_lib.analysis.camera_law import NUMBERS, learned_law, other_law, true_law
from hlgan_lib.analysis.classifier import confusion, two_sample
from hlgan_lib.analysis.clusters import infer_domains, rand_index
from hlgan_lib.analysis.nearness import nearer
from hlgan_lib.analysis.spectrum import statistics
from hlgan_lib.data import FaceSet, load_faces, mixed, to_uint8, unit_range
from hlgan_lib.degradations import Degradation, degradation
from hlgan_lib.files import save_json, user_path
from hlgan_lib.inference import new_z, shots
from hlgan_lib.metrics.pairs import psnr
from hlgan_lib.networks.camera import LearnedCamera
from hlgan_lib.runtime import one_thread
from hlgan_lib.viz import face_grid, save_figure

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "domains.json"
PAGE = ROOT / "docs" / "domains.md"
DOMAINS = ("jpeg", "motion", "night", "old", "webcam")  # in the order of the network's
HELD_OUT = "scan"
CAMERAS = (*DOMAINS, HELD_OUT)
ADAPTED = ("night", "shipped", "webcam", HELD_OUT, "jpeg", "motion", "old")
JUDGES = (
    "learned, all five",
    "learned, domains inferred",
    "learned, one law for all",
    "bilinear",
    "shipped h2l",
    "the five cameras themselves",
    *(f"learned, {camera}" for camera in DOMAINS),
)
N_EACH = 300  # LR pictures of a domain, of other people than the HR ones and than another's
HALF = 1_500  # of faces:train-hi stay HR, the rest is photographed
N_TEST = 200  # faces of faces:test
# Pairs drawn by nearness: of how many images of a face, made by what, brought to which cameras.
N_NEAR = 8
WIDE = ("handmade", "learned, domains inferred")
TOWARDS = ("shipped", HELD_OUT)
N_FEW = 50  # LR pictures that a camera is adapted to
H2L = hl.preset("quick").replace(
    domains=len(DOMAINS), batch=4 * len(DOMAINS), h2l_steps=300, lr=4e-3, amp="off"
)
# The same pictures for an H2L that is not told whose each is, and for one that takes all for one.
UNTOLD = {
    "learned, domains inferred": H2L.replace(domain_labels="inferred"),
    "learned, one law for all": H2L.replace(domains=1),
}
L2H = hl.preset("quick").replace(w_gan=0.0, amp="off")


# ---- pictures ------------------------------------------------------------------------------------
def photographed(hi: FaceSet, camera: str, seed: int) -> FaceSet:
    """The faces under a camera; `shipped` is the shipped one."""
    name = "camera" if camera == "shipped" else f"camera:{camera}"
    generator = torch.Generator().manual_seed(seed)
    take = degradation(name)
    parts = [take(x, generator) for x in hi.batch().split(64)]
    return FaceSet(to_uint8(torch.cat(parts)).numpy(), hi.names, camera)


def lo_of(camera: str, n: int = N_EACH) -> FaceSet:
    """LR pictures to learn from: of each camera other people, none of them among the HR ones."""
    everybody = load_faces("faces:train-hi")
    if camera == "shipped":
        lo = load_faces("faces:train-lo")
        return lo[torch.linspace(0, len(lo) - 1, n).long().tolist()]
    first = HALF
    if camera in DOMAINS:
        first += N_EACH * DOMAINS.index(camera)
    return photographed(everybody[first : first + n], camera, seed=CAMERAS.index(camera))


def tests_of(camera: str) -> FaceSet:
    """The first faces of faces:test under a camera."""
    return photographed(load_faces("faces:test:hi")[:N_TEST], camera, seed=100)


def others() -> Tensor:
    """HR faces of other people than those of the test, as many, for tests between two sets."""
    return load_faces("faces:train-hi").batch(slice(0, N_TEST))


def drawn(net: LearnedCamera) -> Degradation:
    """A learned camera as a degradation."""

    def learned(hi: Tensor, generator: torch.Generator) -> Tensor:
        return net(hi, new_z(net, len(hi), generator))

    return learned


# ---- one H2L of five domains ---------------------------------------------------------------------
def trained(cfg: hl.RunConfig, folder: Path) -> LearnedCamera:
    """An H2L of the five cameras' pictures, trained where it is not there."""
    hi = load_faces("faces:train-hi")[:HALF]
    lo = mixed({camera: lo_of(camera) for camera in DOMAINS})
    resume = folder.exists()
    for tick in hl.train(cfg, "h2l", hi=hi, lo=lo, out=folder, resume=resume, device="cpu"):
        print(f"{folder.name} {tick.images} images, {tick.losses['stats']:.2f}", flush=True)
    return cast(LearnedCamera, hl.load_weights(folder))


def h2l(stored: dict, runs: Path) -> LearnedCamera:
    """Train it where it is not there; its laws beside the truth, and the confusion of domains."""
    start = time.process_time()
    net = trained(H2L, runs / "h2l")
    if "h2l" not in stored:
        seconds = round(time.process_time() - start)
        stored["h2l"] = {"images": H2L.h2l_steps * H2L.batch, "cpu_seconds": seconds}
        save_json(STORED, stored)
    if "laws" in stored:
        return net

    people = load_faces("faces:test:hi").batch(slice(0, N_TEST))
    laws: dict[str, Any] = {}
    for k, camera in enumerate(DOMAINS):
        learned, true = learned_law(net.of_domain(k), n=2_000), other_law(camera, people)
        laws[camera] = {name: [_two(learned[name]), _two(true.get(name))] for name in NUMBERS}
        laws[camera]["JPEG quality"] = [_two(net.jpeg.quality[k]), None]
    stored["laws"] = laws

    # Told apart as real ones are: classifiers of real pictures look at made ones of other people.
    real = [statistics(lo_of(camera).batch()) for camera in DOMAINS]
    made = [statistics(shots(net.of_domain(k), others())[0]) for k in range(len(DOMAINS))]
    found = confusion(real, made)
    stored["confusion"] = {k: v.round(decimals=3).tolist() for k, v in found._asdict().items()}
    apart = {}
    for k, camera in enumerate(DOMAINS):
        told = two_sample(made[k], statistics(tests_of(camera).batch()))
        apart[camera] = [round(x, 3) for x in told[:3]]
    stored["told_apart"] = apart
    save_json(STORED, stored)
    return net


def _two(numbers: Tensor | None) -> list[float] | None:
    """Mean and spread."""
    if numbers is None:
        return None
    return [round(numbers.mean().item(), 3), round(numbers.std().item(), 3)]


# ---- L2H of each domain, of all, of none ---------------------------------------------------------
def of_all(cameras: tuple[str, ...]) -> Degradation:
    """Each batch under one of the cameras themselves, drawn at random."""

    def mixture(hi: Tensor, generator: torch.Generator) -> Tensor:
        k = int(torch.randint(len(cameras), (1,), generator=generator))
        return degradation(f"camera:{cameras[k]}")(hi, generator)

    return mixture


def pairs_of(name: str, runs: Path) -> Degradation | str:
    """What the L2H of a name of JUDGES is trained on."""
    fixed: dict[str, Degradation | str] = {
        "bilinear": "bilinear",
        "shipped h2l": "learned:h2l",
        "the five cameras themselves": of_all(DOMAINS),
    }
    if name in fixed:
        return fixed[name]
    if name in UNTOLD:
        return drawn(trained(UNTOLD[name], runs / name.replace(", ", "-").replace(" ", "-")))
    net = trained(H2L, runs / "h2l")
    camera = name.removeprefix("learned, ")
    return drawn(net if camera == "all five" else net.of_domain(DOMAINS.index(camera)))


def restored_psnr(
    degrade: Degradation | str, tests: dict[str, FaceSet], near: FaceSet | None = None
) -> dict[str, float]:
    """PSNR of a pixel-only L2H of these pairs, on the pictures of each camera, in dB.

    near: real pictures; where they are given, the pairs are drawn by how near they lie to them.
    """
    hi = load_faces("faces:train-hi")[:HALF]
    truth = unit_range(load_faces("faces:test:hi").batch(slice(0, N_TEST)))
    sources: dict[str, Any] = {"hi": hi, "degradation": degrade, "device": "cpu"}
    cfg = L2H
    if near is not None:
        cfg, sources["lo"] = L2H.replace(n_near=N_NEAR), near
    loop, _ = hl.training.new_loop(cfg, "l2h", **sources)
    while loop.step < loop.steps:
        loop.update()
    l2h = loop.nets["l2h"].eval()
    scores = {}
    for camera, lo in tests.items():
        restored = unit_range(hl.upscale(l2h, lo.batch()))
        scores[camera] = round(psnr(restored, truth).mean().item(), 2)
    return scores


def judge(stored: dict, runs: Path) -> None:
    """Train and score what is missing of the judges."""
    rows = stored.setdefault("psnr", {})
    tests = {camera: tests_of(camera) for camera in CAMERAS}
    for name in JUDGES:
        if name not in rows:
            rows[name] = restored_psnr(pairs_of(name, runs), tests)
            save_json(STORED, stored)
            print(name, rows[name], flush=True)


# ---- pairs nearer to a camera --------------------------------------------------------------------
def near_pairs(stored: dict, runs: Path) -> None:
    """Pairs of degradations that are not a camera's, as they come and drawn by nearness to it."""
    rows = stored.setdefault("near", {})
    tests = {camera: tests_of(camera) for camera in TOWARDS}
    hi = load_faces("faces:train-hi")[:HALF]
    for name in WIDE:
        wide = degradation(name) if name == "handmade" else cast(Degradation, pairs_of(name, runs))
        for camera in (None, *TOWARDS):
            row = f"{name}, near {camera}" if camera else name
            if row in rows:
                continue
            real = lo_of(camera) if camera else None
            made_by = wide if real is None else nearer(wide, hi, real, N_NEAR)
            made = shots(made_by, others())[0]
            scored = {camera: tests[camera]} if camera else tests
            gaps = {c: gap(made, lo.batch()) for c, lo in scored.items()}
            restored = restored_psnr(wide, scored, real)
            rows[row] = {c: gaps[c] | {"psnr": restored[c]} for c in scored}
            save_json(STORED, stored)
            print(row, rows[row], flush=True)


# ---- domains without labels ----------------------------------------------------------------------
def labels(stored: dict) -> None:
    """How far inferred domains agree with the cameras: of pictures that nothing was chosen on."""
    for name, cameras in {"five": DOMAINS, "six": tuple(sorted(CAMERAS))}.items():
        parts = {camera: tests_of(camera) for camera in cameras}
        k, n = len(cameras), N_TEST
        truth = torch.arange(k).repeat_interleave(n)
        called = infer_domains(mixed(parts), k)
        # For comparison, a classifier that is told the cameras of other pictures.
        features = [statistics(part.batch()) for part in parts.values()]
        shares = confusion(features, features).real
        told = [torch.arange(k).repeat_interleave((row * n).round().long()) for row in shares]
        stored.setdefault("labels", {})[name] = {
            "rand": round(rand_index(truth, called), 3),
            "told": round(rand_index(truth, torch.cat(told)), 3),
            "called": torch.bincount(truth * k + called, minlength=k * k).view(k, k).tolist(),
        }
        save_json(STORED, stored)
        print(name, stored["labels"][name], flush=True)


# ---- adaptation ----------------------------------------------------------------------------------
def gap(made: Tensor, real: Tensor) -> dict[str, Any]:
    """How far made pictures lie from other real ones of the camera."""
    told, kernel = adaptation.set_apart(made, real)
    return {"told_apart": [round(x, 3) for x in told[:3]], "kernel": round(kernel, 3)}


def adaptations(stored: dict) -> None:
    """The shipped law adapted to 50 pictures of each camera, judged on 200 others."""
    rows = stored.setdefault("adapt", {})
    hi = load_faces("faces:train-hi")[:HALF]
    people = load_faces("faces:test:hi").batch(slice(0, N_TEST))
    shipped = cast(LearnedCamera, hl.load_weights("h2l"))
    for camera in ADAPTED:
        if camera in rows:
            continue
        lo, real = lo_of(camera, N_FEW), tests_of(camera).batch()
        start = time.process_time()
        found = adaptation.adapt(shipped, lo, hi=hi, device="cpu")
        seconds = round(time.process_time() - start, 1)
        coded = adaptation.with_jpeg_of(lo, shipped)
        moved = found.net if found.kept else adaptation.fitted(coded, hi, lo)
        true = true_law(n=2_000) if camera == "shipped" else other_law(camera, people)
        laws = [learned_law(law, n=2_000) for law in (shipped, moved)]
        rows[camera] = {
            "kept": found.kept,
            "gain": round(found.gain, 3),
            "error": round(found.error, 3),
            "cpu_seconds": seconds,
            "before": gap(shots(shipped, others())[0], real),
            "coded": gap(shots(coded, others())[0], real),
            "after": gap(shots(moved, others())[0], real),
            "quality": [round(x) for x in found.quality],
            "law": {k: [*(_two(law[k]) for law in laws), _two(true.get(k))] for k in NUMBERS},
        }
        save_json(STORED, stored)
        print(camera, {k: v for k, v in rows[camera].items() if k != "law"}, flush=True)


# ---- tables --------------------------------------------------------------------------------------
def _cell(two: list[float] | None) -> str:
    """Mean and spread, or a dash for what a camera does not have."""
    return "–" if two is None else f"{_mean(two)} ± {two[1]:.2f}"


def _mean(two: list[float] | None) -> str:
    """The mean, never -0.00."""
    return "–" if two is None else f"{round(two[0], 2) + 0.0:.2f}"


def law_table(stored: dict) -> str:
    """Each domain's learned law beside its truth."""
    lines = [f"| number | {' | '.join(DOMAINS)} |", "|---" * (1 + len(DOMAINS)) + "|"]
    for name in NUMBERS:
        cells = []
        for camera in DOMAINS:
            learned, true = stored["laws"][camera][name]
            cells.append(f"{_cell(learned)} ({_cell(true)})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def confusion_table(stored: dict) -> str:
    """Of the made pictures of each domain, how many are called what; of real ones behind."""
    lines = [f"| pictures of | {' | '.join(f'called {c}' for c in DOMAINS)} | told apart |"]
    lines.append("|---" * (2 + len(DOMAINS)) + "|")
    for k, camera in enumerate(DOMAINS):
        made, real = (stored["confusion"][kind][k] for kind in ("made", "real"))
        cells = [f"{100 * m:.0f} ({100 * r:.0f})" for m, r in zip(made, real, strict=True)]
        low, high = stored["told_apart"][camera][1:]
        apart = f"{100 * stored['told_apart'][camera][0]:.0f} ({100 * low:.0f} to {100 * high:.0f})"
        lines.append(f"| {camera} | {' | '.join(cells)} | {apart} |")
    return "\n".join(lines)


def psnr_table(stored: dict) -> str:
    """PSNR of each L2H on each camera, the best of the learned ones bold."""
    rows = stored["psnr"]
    best = {}
    for camera in CAMERAS:
        best[camera] = max(row[camera] for name, row in rows.items() if "themselves" not in name)
    lines = [f"| pairs of | {' | '.join(CAMERAS)} | mean |", "|---" * (2 + len(CAMERAS)) + "|"]
    for name in JUDGES:
        if name not in rows:
            continue
        row = rows[name]
        cells = [f"**{row[c]:.2f}**" if row[c] == best[c] else f"{row[c]:.2f}" for c in CAMERAS]
        mean = sum(row.values()) / len(row)
        lines.append(f"| {name} | {' | '.join(cells)} | {mean:.2f} |")
    return "\n".join([*lines, *not_run(JUDGES, rows)])


def not_run(planned: tuple[str, ...], rows: Collection[str]) -> list[str]:
    """A line under a table that names what is not stored yet; none where all is."""
    missing = [name for name in planned if name not in rows]
    return ["", f"Not run: {'; '.join(missing)}."] if missing else []


def adapt_table(stored: dict) -> str:
    """The gap before and after for each camera, and whether the law was kept."""
    lines = [
        "| 50 pictures of | median JPEG quality | told apart, before | JPEG | law too | "
        "kernel distance, before | JPEG | law too | fall of the energy score | law kept |",
        "|---" * 10 + "|",
    ]
    for camera, row in stored["adapt"].items():
        gaps = [row[when] for when in ("before", "coded", "after")]
        told = [f"{100 * g['told_apart'][0]:.0f} %" for g in gaps]
        kernel = [f"{g['kernel']:.0f}" for g in gaps]
        quality = " → ".join(str(q) for q in row["quality"])
        fall = f"{row['gain']:.2f} ± {row['error']:.2f}"
        cells = [camera, quality, *told, *kernel, fall, "yes" if row["kept"] else "no"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *not_run(ADAPTED, stored["adapt"])])


def adapted_law_table(stored: dict) -> str:
    """Means of the shipped law, the adapted one and the truth."""
    rows = stored["adapt"]
    lines = [f"| number | {' | '.join(rows)} |", "|---" * (1 + len(rows)) + "|"]
    for name in NUMBERS:
        cells = []
        for row in rows.values():
            values = row["law"][name]
            cells.append(" → ".join(_mean(two) for two in values))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def label_table(stored: dict) -> str:
    """Which cameras' pictures fall into which of six inferred domains, from dark to light."""
    found = stored["labels"]["six"]
    cameras = sorted(CAMERAS)
    lines = [f"| pictures of | {' | '.join(str(k + 1) for k in range(len(cameras)))} |"]
    lines.append("|---" * (1 + len(cameras)) + "|")
    for camera, row in zip(cameras, found["called"], strict=True):
        lines.append(f"| {camera} | {' | '.join(str(n) for n in row)} |")
    both = [stored["labels"][name] for name in ("five", "six")]
    inferred = " and ".join(f"{x['rand']:.2f}" for x in both)
    told = " and ".join(f"{x['told']:.2f}" for x in both)
    lines += [
        "",
        f"Adjusted Rand index with the truth, of five and of six cameras: {inferred}; "
        f"of a classifier that is told the cameras of other pictures: {told}.",
    ]
    return "\n".join(lines)


def near_table(stored: dict) -> str:
    """Each camera's two wide degradations, as they come and drawn by nearness."""
    lines = [
        "| pairs of | for | told apart | kernel distance | PSNR of L2H, dB |",
        "|---|---|---|---|---|",
    ]
    rows, planned = stored["near"], []
    for camera in TOWARDS:
        for name in WIDE:
            for row, how in ((name, "as they come"), (f"{name}, near {camera}", "near")):
                planned.append(row)
                if row not in rows:
                    continue
                got = rows[row][camera]
                cells = [f"{name}, {how}", camera, f"{100 * got['told_apart'][0]:.0f} %"]
                cells += [f"{got['kernel']:.0f}", f"{got['psnr']:.2f}"]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *not_run(tuple(dict.fromkeys(planned)), rows)])


TABLES: dict[str, tuple[str, Callable[[dict], str]]] = {
    "laws": ("laws", law_table),
    "confusion": ("confusion", confusion_table),
    "labels": ("labels", label_table),
    "psnr": ("psnr", psnr_table),
    "near": ("near", near_table),
    "adapt": ("adapt", adapt_table),
    "adapted-laws": ("adapt", adapted_law_table),
}


def write_page(stored: dict) -> None:
    """Put the tables between their marks; what was not run keeps its line."""
    for mark, (key, table) in TABLES.items():
        if stored.get(key):
            between_marks(PAGE, table(stored), mark)


def draw(net: LearnedCamera) -> None:
    """Real and made pictures of each domain, of the same faces."""
    hi = load_faces("faces:test:hi").batch(slice(0, 10))
    rows = {"HR": hi}
    for k, camera in enumerate(DOMAINS):
        rows[f"{camera}, the camera"] = tests_of(camera).batch(slice(0, 10))
        rows[f"{camera}, learned"] = shots(net.of_domain(k), hi)[0]
    alt = (
        "Ten faces, then for each of five cameras two rows of the same faces: as the camera takes "
        "them, and as the one H2L has learned of other people's pictures"
    )
    figure = face_grid(rows, alt=alt, cell=56)
    made: dict[str, Any] = {"command": "python tools/results/domains.py", "preset": "quick"}
    save_figure(figure, ROOT / "figures" / "domains.png", seed=0, **made)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=user_path, default=ROOT / "runs" / "domains")
    parser.add_argument("--only", nargs="*", default=["labels", "h2l", "judges", "near", "adapt"])
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    with one_thread():
        if "labels" in args.only and "labels" not in stored:
            labels(stored)
        if "adapt" in args.only:
            adaptations(stored)
        if "h2l" in args.only:
            draw(h2l(stored, args.runs))
        if "judges" in args.only:
            judge(stored, args.runs)
        if "near" in args.only:
            near_pairs(stored, args.runs)
    write_page(stored)


if __name__ == "__main__":
    main()
