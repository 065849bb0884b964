"""Several LR domains: one H2L of five cameras, L2Hs of each and of all, and adaptation to few.

    python tools/results/domains.py [--runs DIR] [--seeds 0 1 2] [--only labels h2l judges near]

Does what results/domains.json does not hold yet, seed by seed, stores each result at once, then
rewrites the tables of docs/domains.md and draws figures/domains.png. About 40 minutes of a core a
seed: the lengths of the preset `quick`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Collection, Sequence
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
from hlgan_lib.study.tables import markdown_row
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
SEEDS = (0, 1, 2)
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


def lo_of(camera: str, n: int = N_EACH, part: int = 0) -> FaceSet:
    """LR pictures to learn from: of each camera other people, none of them among the HR ones.

    part: 0 for the first n of them, 1 for the next.
    """
    everybody = load_faces("faces:train-hi")
    if camera == "shipped":
        lo = load_faces("faces:train-lo")
        spread = torch.linspace(0, len(lo) - 1, n).long() - part
        return lo[(spread % len(lo)).tolist()]
    first = HALF + part * n
    if camera in DOMAINS:
        first += N_EACH * DOMAINS.index(camera)
    seed = CAMERAS.index(camera) + len(CAMERAS) * part
    return photographed(everybody[first : first + n], camera, seed=seed)


def tests_of(camera: str, seed: int = 0) -> FaceSet:
    """The first faces of faces:test under a camera; the seed is of what it does to them."""
    return photographed(load_faces("faces:test:hi")[:N_TEST], camera, seed=100 + seed)


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


def h2l(stored: dict, seed: int, runs: Path) -> LearnedCamera:
    """Train it where it is not there; its laws beside the truth, and the confusion of domains."""
    one = stored[str(seed)]
    start = time.process_time()
    net = trained(H2L.replace(seed=seed), runs / "h2l")
    if "h2l" not in one:
        seconds = round(time.process_time() - start)
        one["h2l"] = {"images": H2L.h2l_steps * H2L.batch, "cpu_seconds": seconds}
        save_json(STORED, stored)
    if "laws" in one:
        return net

    people = load_faces("faces:test:hi").batch(slice(0, N_TEST))
    laws: dict[str, Any] = {}
    for k, camera in enumerate(DOMAINS):
        learned, true = learned_law(net.of_domain(k), n=2_000), other_law(camera, people)
        laws[camera] = {name: [_two(learned[name]), _two(true.get(name))] for name in NUMBERS}
        laws[camera]["JPEG quality"] = [_two(net.jpeg.quality[k]), None]
    one["laws"] = laws

    # Told apart as real ones are: classifiers of real pictures look at made ones of other people.
    real = [statistics(lo_of(camera).batch()) for camera in DOMAINS]
    drawn_ones = (shots(net.of_domain(k), others(), seed=seed)[0] for k in range(len(DOMAINS)))
    made = [statistics(x) for x in drawn_ones]
    found = confusion(real, made)
    one["confusion"] = {k: v.round(decimals=3).tolist() for k, v in found._asdict().items()}
    apart = {}
    for k, camera in enumerate(DOMAINS):
        told = two_sample(made[k], statistics(tests_of(camera).batch()))
        apart[camera] = [round(x, 3) for x in told[:3]]
    one["told_apart"] = apart
    save_json(STORED, stored)
    return net


def _two(numbers: Tensor | None) -> list[float] | None:
    """Mean and spread."""
    if numbers is None:
        return None
    return [round(numbers.mean().item(), 3), round(numbers.std().item(), 3)]


# ---- L2H of each domain, of all, of none ---------------------------------------------------------
def of_all(cameras: tuple[str, ...]) -> Degradation:
    """Each picture under one of the cameras themselves, drawn at random."""

    def mixture(hi: Tensor, generator: torch.Generator) -> Tensor:
        which = torch.randint(len(cameras), (len(hi),), generator=generator)
        order = which.argsort(stable=True)
        counts = torch.bincount(which, minlength=len(cameras)).tolist()
        parts = zip(cameras, hi[order].split(counts), strict=True)
        made = [degradation(f"camera:{name}")(part, generator) for name, part in parts if len(part)]
        return torch.cat(made)[order.argsort()]

    return mixture


def pairs_of(name: str, seed: int, runs: Path) -> Degradation | str:
    """What the L2H of a name of JUDGES is trained on."""
    fixed: dict[str, Degradation | str] = {
        "bilinear": "bilinear",
        "shipped h2l": "learned:h2l",
        "the five cameras themselves": of_all(DOMAINS),
    }
    if name in fixed:
        return fixed[name]
    if name in UNTOLD:
        folder = runs / name.replace(", ", "-").replace(" ", "-")
        return drawn(trained(UNTOLD[name].replace(seed=seed), folder))
    net = trained(H2L.replace(seed=seed), runs / "h2l")
    camera = name.removeprefix("learned, ")
    return drawn(net if camera == "all five" else net.of_domain(DOMAINS.index(camera)))


def restored_psnr(
    degrade: Degradation | str, tests: dict[str, FaceSet], seed: int, near: FaceSet | None = None
) -> dict[str, float]:
    """PSNR of a pixel-only L2H of these pairs, on the pictures of each camera, in dB.

    near: real pictures; where they are given, the pairs are drawn by how near they lie to them.
    """
    hi = load_faces("faces:train-hi")[:HALF]
    truth = unit_range(load_faces("faces:test:hi").batch(slice(0, N_TEST)))
    sources: dict[str, Any] = {"hi": hi, "degradation": degrade, "device": "cpu"}
    cfg = L2H.replace(seed=seed)
    if near is not None:
        cfg, sources["lo"] = cfg.replace(n_near=N_NEAR), near
    loop, _ = hl.training.new_loop(cfg, "l2h", **sources)
    while loop.step < loop.steps:
        loop.update()
    l2h = loop.nets["l2h"].eval()
    scores = {}
    for camera, lo in tests.items():
        restored = unit_range(hl.upscale(l2h, lo.batch()))
        scores[camera] = round(psnr(restored, truth).mean().item(), 2)
    return scores


def judge(stored: dict, seed: int, runs: Path) -> None:
    """Train and score what is missing of the judges."""
    rows = stored[str(seed)].setdefault("psnr", {})
    tests = {camera: tests_of(camera) for camera in CAMERAS}
    for name in JUDGES:
        if name not in rows:
            rows[name] = restored_psnr(pairs_of(name, seed, runs), tests, seed)
            save_json(STORED, stored)
            print(seed, name, rows[name], flush=True)


# ---- pairs nearer to a camera --------------------------------------------------------------------
def near_pairs(stored: dict, seed: int, runs: Path) -> None:
    """Pairs of degradations that are not a camera's, as they come and drawn by nearness to it."""
    rows = stored[str(seed)].setdefault("near", {})
    tests = {camera: tests_of(camera) for camera in TOWARDS}
    hi = load_faces("faces:train-hi")[:HALF]
    for name in WIDE:
        found = degradation(name) if name == "handmade" else pairs_of(name, seed, runs)
        wide = cast(Degradation, found)
        for camera in (None, *TOWARDS):
            row = f"{name}, near {camera}" if camera else name
            if row in rows:
                continue
            real = lo_of(camera) if camera else None
            made_by = wide if real is None else nearer(wide, hi, real, N_NEAR, seed=seed)
            made = shots(made_by, others(), seed=seed)[0]
            scored = {camera: tests[camera]} if camera else tests
            gaps = {c: gap(made, lo.batch()) for c, lo in scored.items()}
            restored = restored_psnr(wide, scored, seed, real)
            rows[row] = {c: gaps[c] | {"psnr": restored[c]} for c in scored}
            save_json(STORED, stored)
            print(seed, row, rows[row], flush=True)


# ---- domains without labels ----------------------------------------------------------------------
def labels(stored: dict, seed: int) -> None:
    """How far inferred domains agree with the cameras: of pictures that nothing was chosen on."""
    one = stored[str(seed)].setdefault("labels", {})
    for name, cameras in {"five": DOMAINS, "six": tuple(sorted(CAMERAS))}.items():
        if name in one:
            continue
        parts = {camera: tests_of(camera, seed) for camera in cameras}
        k, n = len(cameras), N_TEST
        truth = torch.arange(k).repeat_interleave(n)
        called = infer_domains(mixed(parts), k)
        # For comparison, a classifier that is told the cameras of other pictures.
        features = [statistics(part.batch()) for part in parts.values()]
        shares = confusion(features, features).real
        told = [torch.arange(k).repeat_interleave((row * n).round().long()) for row in shares]
        one[name] = {
            "rand": round(rand_index(truth, called), 3),
            "told": round(rand_index(truth, torch.cat(told)), 3),
            "called": torch.bincount(truth * k + called, minlength=k * k).view(k, k).tolist(),
        }
        save_json(STORED, stored)
        print(seed, name, one[name], flush=True)


# ---- adaptation ----------------------------------------------------------------------------------
def gap(made: Tensor, real: Tensor) -> dict[str, Any]:
    """How far made pictures lie from other real ones of the camera."""
    told, kernel = adaptation.set_apart(made, real)
    return {"told_apart": [round(x, 3) for x in told[:3]], "kernel": round(kernel, 3)}


def adaptations(stored: dict, seed: int) -> None:
    """The shipped law adapted to 50 pictures of each camera, of each seed others, and judged."""
    rows = stored[str(seed)].setdefault("adapt", {})
    hi = load_faces("faces:train-hi")[:HALF]
    people = load_faces("faces:test:hi").batch(slice(0, N_TEST))
    shipped = cast(LearnedCamera, hl.load_weights("h2l"))
    for camera in ADAPTED:
        if camera in rows:
            continue
        lo, real = lo_of(camera, N_FEW, part=seed), tests_of(camera).batch()
        start = time.process_time()
        found = adaptation.adapt(shipped, lo, hi=hi, seed=seed, device="cpu")
        seconds = round(time.process_time() - start, 1)
        coded = adaptation.with_jpeg_of(lo, shipped)
        moved = found.net if found.kept else adaptation.fitted(coded, hi, lo, seed=seed)
        true = true_law(n=2_000) if camera == "shipped" else other_law(camera, people)
        laws = [learned_law(law, n=2_000) for law in (shipped, moved)]
        rows[camera] = {
            "kept": found.kept,
            "gain": round(found.gain, 3),
            "error": round(found.error, 3),
            "cpu_seconds": seconds,
            "before": gap(shots(shipped, others(), seed=seed)[0], real),
            "coded": gap(shots(coded, others(), seed=seed)[0], real),
            "after": gap(shots(moved, others(), seed=seed)[0], real),
            "quality": [round(x) for x in found.quality],
            "law": {k: [*(_two(law[k]) for law in laws), _two(true.get(k))] for k in NUMBERS},
        }
        save_json(STORED, stored)
        print(seed, camera, {k: v for k, v in rows[camera].items() if k != "law"}, flush=True)


# ---- tables --------------------------------------------------------------------------------------
def of_seeds(stored: dict, *keys: Any) -> list[Any]:
    """What lies behind the keys, of each seed that has it."""
    found = []
    for one in stored.values():
        for key in keys:
            one = one.get(key) if isinstance(one, dict) else one[key]
            if one is None:
                break
        else:
            found.append(one)
    return found


def over(values: Sequence[float], digits: int = 0) -> str:
    """Mean and range over seeds, never -0."""
    mean, low, high = (
        f"{round(x, digits) + 0.0:.{digits}f}"
        for x in (sum(values) / len(values), min(values), max(values))
    )
    return mean if low == high else f"{mean} ({low} to {high})"


def percents(shares: Sequence[float]) -> str:
    """Mean and range of shares, in percent."""
    return over([100 * share for share in shares])


def head(*cells: str) -> list[str]:
    """The two first lines of a table."""
    return [markdown_row(cells), "|---" * len(cells) + "|"]


def law_table(stored: dict) -> str:
    """Each domain's learned law and its truth: mean, with its range over seeds, and spread."""
    lines = head("number", "", *DOMAINS)
    for name in NUMBERS:
        learned, true = [], []
        for camera in DOMAINS:
            found = of_seeds(stored, "laws", camera, name)
            (means, spreads), truth = zip(*(two for two, _ in found), strict=True), found[0][1]
            learned.append(f"{over(means, 2)} ± {sum(spreads) / len(spreads):.2f}")
            true.append("–" if truth is None else f"{over(truth[:1], 2)} ± {truth[1]:.2f}")
        lines.append(markdown_row([name, "learned", *learned]))
        lines.append(markdown_row(["", "true", *true]))
    return "\n".join(lines)


def confusion_table(stored: dict) -> str:
    """Of the made pictures of each domain, how many are called what; of real ones behind."""
    lines = head("pictures of", "", *(f"called {c}" for c in DOMAINS), "told apart")
    for k, camera in enumerate(DOMAINS):
        for kind in ("made", "real"):
            shares = of_seeds(stored, "confusion", kind, k)
            cells = [percents([share[j] for share in shares]) for j in range(len(DOMAINS))]
            told = percents([told for told, *_ in of_seeds(stored, "told_apart", camera)])
            row = [camera if kind == "made" else "", kind, *cells, told if kind == "made" else ""]
            lines.append(markdown_row(row))
    return "\n".join(lines)


def psnr_table(stored: dict) -> str:
    """PSNR of each L2H on each camera, the best mean of the learned ones bold."""
    rows = {name: of_seeds(stored, "psnr", name) for name in JUDGES}
    rows = {name: found for name, found in rows.items() if found}
    lines = head("pairs of", "seeds", *CAMERAS, "mean")
    columns: dict[str, dict[str, list[float]]] = {}
    for name, found in rows.items():
        columns[name] = {camera: [row[camera] for row in found] for camera in CAMERAS}
        columns[name]["mean"] = [sum(row.values()) / len(row) for row in found]
    best = {}
    for camera in CAMERAS:
        means = {n: sum(c[camera]) / len(c[camera]) for n, c in columns.items()}
        best[camera] = max((n for n in means if "themselves" not in n), key=means.__getitem__)
    for name, column in columns.items():
        cells = [over(values, 2) for values in column.values()]
        bold = [f"**{x}**" if best.get(c) == name else x for c, x in zip(column, cells)]
        lines.append(markdown_row([name, len(rows[name]), *bold]))
    return "\n".join([*lines, *not_run(JUDGES, rows)])


def not_run(planned: tuple[str, ...], rows: Collection[str]) -> list[str]:
    """A line under a table that names what is not stored yet; none where all is."""
    missing = [name for name in planned if name not in rows]
    return ["", f"Not run: {'; '.join(missing)}."] if missing else []


def adapt_table(stored: dict) -> str:
    """The gap before and after for each camera, and whether the law was kept."""
    lines = head(
        "50 pictures of",
        "median JPEG quality",
        *("told apart, before", "JPEG", "law too"),
        *("kernel distance, before", "JPEG", "law too"),
        "fall of the energy score",
        "law kept",
    )
    for camera in ADAPTED:
        rows = of_seeds(stored, "adapt", camera)
        if not rows:
            continue
        when = ("before", "coded", "after")
        told = [f"{percents([row[w]['told_apart'][0] for row in rows])} %" for w in when]
        kernel = [over([row[w]["kernel"] for row in rows]) for w in when]
        quality = " → ".join(over([row["quality"][k] for row in rows]) for k in (0, 1))
        error = sum(row["error"] for row in rows) / len(rows)
        fall = f"{over([row['gain'] for row in rows], 2)} ± {error:.2f}"
        n_kept = sum(row["kept"] for row in rows)
        kept = f"{n_kept} of {len(rows)}" if len(rows) > 1 else ("yes" if n_kept else "no")
        lines.append(markdown_row([camera, quality, *told, *kernel, fall, kept]))
    return "\n".join([*lines, *not_run(ADAPTED, stored["0"]["adapt"])])


def adapted_law_table(stored: dict) -> str:
    """Means of the shipped law, the adapted one and the truth; of all seeds together."""
    lines = head("number", *ADAPTED)
    for name in NUMBERS:
        cells = []
        for camera in ADAPTED:
            laws = of_seeds(stored, "adapt", camera, "law", name)
            cells.append(" → ".join(_mean([law[k] for law in laws]) for k in range(3)))
        lines.append(markdown_row([name, *cells]))
    return "\n".join(lines)


def _mean(seeds: list[list[float] | None]) -> str:
    """The mean over seeds of means, or a dash for what a camera does not have."""
    found = [two[0] for two in seeds if two is not None]
    return f"{round(sum(found) / len(found), 2) + 0.0:.2f}" if found else "–"


def label_table(stored: dict) -> str:
    """Of two pictures of six cameras, how often they fall into one inferred domain, in percent."""
    cameras = sorted(CAMERAS)
    lines = head("pictures of", *cameras)
    found = [
        torch.tensor(called) / N_TEST for called in of_seeds(stored, "labels", "six", "called")
    ]
    together = torch.stack([share @ share.T for share in found], -1)
    for camera, row in zip(cameras, together.tolist(), strict=True):
        lines.append(markdown_row([camera, *(percents(shares) for shares in row)]))
    index = {}
    for what in ("rand", "told"):
        both = [over(of_seeds(stored, "labels", name, what), 2) for name in ("five", "six")]
        index[what] = " and ".join(both)
    lines += [
        "",
        f"Adjusted Rand index with the truth, of five and of six cameras: {index['rand']}; "
        f"of a classifier that is told the cameras of other pictures: {index['told']}.",
    ]
    return "\n".join(lines)


def near_table(stored: dict) -> str:
    """Each camera's two wide degradations, as they come and drawn by nearness."""
    lines = head("pairs of", "for", "seeds", "told apart, %", "kernel distance", "L2H, PSNR in dB")
    planned, run = [], []
    for camera in TOWARDS:
        for name in WIDE:
            for row, how in ((name, "as they come"), (f"{name}, near {camera}", "near")):
                planned.append(row)
                got = of_seeds(stored, "near", row, camera)
                if not got:
                    continue
                run.append(row)
                told = percents([one["told_apart"][0] for one in got])
                kernel = over([one["kernel"] for one in got])
                gained = over([one["psnr"] for one in got], 2)
                cells = [f"{name}, {how}", camera, len(got), told, kernel, gained]
                lines.append(markdown_row(cells))
    return "\n".join([*lines, *not_run(tuple(dict.fromkeys(planned)), run)])


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
        if of_seeds(stored, key):
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
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    args = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    for seed in args.seeds:
        stored.setdefault(str(seed), {})
        runs = args.runs / f"seed-{seed}"
        with one_thread():
            if "labels" in args.only:
                labels(stored, seed)
            if "adapt" in args.only:
                adaptations(stored, seed)
            if "h2l" in args.only:
                net = h2l(stored, seed, runs)
                if seed == SEEDS[0]:
                    draw(net)
            if "judges" in args.only:
                judge(stored, seed, runs)
            if "near" in args.only:
                near_pairs(stored, seed, runs)
    write_page(stored)


if __name__ == "__main__":
    main()
