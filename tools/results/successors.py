"""The paper's successors under one loop and one budget, beside bilinear pairs and the camera.

    python tools/results/successors.py --preset study --device cuda --runs DIR --only ROW --seed 1
    python tools/results/successors.py --runs DIR --publish

The first trains and scores rows, each in files of its own under DIR: several processes may work on
one DIR at once, one may be stopped, and what is there is not done again. The second puts all of
them into results/successors.json, rewrites the tables of docs/successors.md and draws
figures/flow.png; with `--only` it renews those rows and leaves the others as they are stored.
Presets: `quick`, 1,200 images a restorer, about ten minutes of an idle core; `study`, the table's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from publish import between_marks
from torch import Tensor

import hlgan_lib as hl
from hlgan_lib.checkpoint import RunFolder
from hlgan_lib.config import STAGES
from hlgan_lib.data import load_faces, unit_range
from hlgan_lib.files import Lock, save_json, user_path
from hlgan_lib.metrics.pairs import consistency, psnr
from hlgan_lib.networks.baselines import enlarged
from hlgan_lib.networks.flow import FlowLowToHigh
from hlgan_lib.runtime import hardware, one_thread
from hlgan_lib.stats import mean_interval
from hlgan_lib.study.scoring import score_degrader, score_restorer
from hlgan_lib.viz import face_grid, save_figure

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "results" / "successors.json"
FLOW_WEIGHTS = ROOT / "results" / "flow-weights.json"
PAGE = ROOT / "docs" / "successors.md"
LENGTHS = {"quick": (300, 75), "study": (1_500, 1_200)}  # updates of H2L and of a restorer
N_TEST = 200  # faces of faces:test
N_DRAWN, N_FACES = 8, 50  # faces of a picture, and test faces, of which the flow's spread is taken
# Spatial frequencies in 1/128 of a cycle a pixel, and where on its path a flow is asked.
BANDS, TIMES = (4, 8, 16, 32, 91), (0.25, 0.5, 0.75)
WAIT_S = 2  # between two looks at a run that another process trains

# What H2L is, by the name of its row; the other degradations need no training.
H2LS: dict[str, dict[str, Any]] = {
    "learned camera": {},
    "DSGAN": {"h2l_model": "paper", "separate": True, "z_input": "none"},
    "PDM": {"h2l_model": "kernel+noise"},
    "paper's H2L": {"h2l_model": "paper"},
}


class Row(NamedTuple):
    """A restorer of the table: its stage, what it is trained on, and what is set for it."""

    stage: str
    pairs: str
    changes: dict[str, Any]
    around: str = ""  # of a flow, the row whose restorer says the mean


PIXEL: dict[str, Any] = {"w_gan": 0.0}
# A flow's loss is noisy, and nothing plays against it: Adam with a longer memory.
FLOW = {"beta1": 0.9, "beta2": 0.99}
R3GAN = {"gan_loss": "relativistic", "w_r1": 1.0, "w_r2": 1.0, "d_norm": "none"}
ROWS = {  # in the order of training: what answers most for its minutes first
    "pixel only": Row("l2h", "learned camera", PIXEL),
    "flow": Row("flow", "learned camera", FLOW, around="pixel only"),
    "hinge": Row("l2h", "learned camera", {}),
    "relativistic, R1 and R2 each eighth": Row(
        "l2h", "learned camera", R3GAN | {"penalty_every": 8}
    ),
    "semi-cycle": Row("semicycle", "learned camera", {}),
    "semi-cycle, real LR as heavy": Row("semicycle", "learned camera", {"w_real": 1.0}),
    "pseudo-supervision": Row("pseudo", "learned camera", {}),
    "bilinear": Row("l2h", "bilinear", PIXEL),
    "hinge, bilinear pairs": Row("l2h", "bilinear", {}),
    "pseudo-supervision, bilinear pairs": Row("pseudo", "bilinear", {}),
    "Wavelet-SRNet": Row("l2h", "learned camera", {"l2h_model": "wavelet"}),
    "Wavelet-SRNet, bilinear pairs": Row("l2h", "bilinear", {"l2h_model": "wavelet"}),
    "DeepDeblur": Row("l2h", "learned camera", {"l2h_model": "deepdeblur"}),
    "DeepDeblur, bilinear pairs": Row("l2h", "bilinear", {"l2h_model": "deepdeblur"}),
    "DSGAN": Row("l2h", "DSGAN", PIXEL),
    "PDM": Row("l2h", "PDM", PIXEL),
    "hand-made": Row("l2h", "handmade", PIXEL),
    "the camera itself": Row("l2h", "camera", PIXEL),
    "paper's H2L": Row("l2h", "paper's H2L", PIXEL),
}
RESTORERS = (
    "pixel only",
    "hinge",
    "hinge, bilinear pairs",
    "relativistic, R1 and R2 each eighth",
    "flow",
    "semi-cycle",
    "semi-cycle, real LR as heavy",
    "pseudo-supervision",
    "pseudo-supervision, bilinear pairs",
    "Wavelet-SRNet",
    "Wavelet-SRNet, bilinear pairs",
    "DeepDeblur",
    "DeepDeblur, bilinear pairs",
)
DEGRADATIONS = (
    "bilinear",
    "hand-made",
    "pixel only",
    "paper's H2L",
    "DSGAN",
    "PDM",
    "the camera itself",
)


# ---- training ------------------------------------------------------------------------------------
class Study(NamedTuple):
    """What all rows of a table share."""

    preset: str
    device: str
    folder: Path
    seed: int = 0
    h2l_updates: int = 0  # 0: as LENGTHS says
    updates: int = 0

    def config(self, changes: dict[str, Any]) -> hl.RunConfig:
        """The preset at this study's lengths and seed, with what a row changes."""
        h2l, other = LENGTHS[self.preset]
        steps = {f"{stage}_steps": self.updates or other for stage in STAGES}
        steps["h2l_steps"] = self.h2l_updates or h2l
        cfg = hl.preset(self.preset).replace(seed=self.seed, amp="off", **steps)
        return cfg.replace(**changes)

    def place(self, name: str) -> Path:
        """The folder of a row, or of an H2L."""
        short = "".join(c if c.isalnum() else "-" for c in name)
        return self.folder / f"{short}-{self.seed}"


def trained(study: Study, name: str, stage: str, changes: dict[str, Any], **sources: Any) -> dict:
    """Train a run, or wait until another process has; what it cost."""
    cfg = study.config(changes)
    place = study.place(name)
    place.mkdir(parents=True, exist_ok=True)
    cost = place / "cost.json"
    with only_one(place / "training"):
        if not cost.is_file():
            run = RunFolder(place / "run")
            ticks = hl.train(
                cfg,
                stage,
                out=run.path,
                resume=run.config.is_file(),
                device=study.device,
                **sources,
            )
            for tick in ticks:
                print(f"{name}, seed {study.seed}: {tick.images} images", flush=True)
            images = getattr(cfg, f"{stage}_steps") * cfg.batch
            seconds = json.loads(run.scores.read_text())["seconds"]
            save_json(cost, {"images": images, "seconds": seconds, "device": hardware()})
    return json.loads(cost.read_text())


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a folder; waits as long as another process does."""
    lock = None
    while lock is None:
        try:
            lock = Lock(folder)
        except hl.HLError as error:
            if "being written" not in str(error):
                raise
            time.sleep(WAIT_S)
    try:
        yield
    finally:
        lock.release()


def degradation(study: Study, name: str) -> str:
    """A row's degradation as `hl.train` takes it, trained where it must be, and scored once."""
    found = name
    place = study.place(f"pairs {name}")
    if name in H2LS:
        trained(study, f"pairs {name}", "h2l", H2LS[name])
        found = f"learned:{place / 'run'}"
    place.mkdir(parents=True, exist_ok=True)
    with only_one(place / "scoring"):
        if not (place / "scores.json").is_file():
            save_json(place / "scores.json", score_degrader(found, N_TEST))
    return found


def score(study: Study, name: str) -> None:
    """Train and score a row of the table."""
    row, place = ROWS[name], study.place(name)
    sources = {"degradation": degradation(study, row.pairs)}
    if row.around:
        score(study, row.around)
        sources["l2h"] = str(study.place(row.around) / "run")
    trained(study, name, row.stage, row.changes, **sources)
    if (place / "scores.json").is_file():
        return
    net = hl.load_weights(place / "run", device=study.device)

    def restore(lo: Tensor) -> Tensor:
        given = lo.to(study.device)
        if isinstance(net, FlowLowToHigh):
            return drawn_one(net, given).cpu()
        return hl.upscale(net, given).cpu()

    scores: dict[str, Any] = {"scores": score_restorer(restore, N_TEST).scores}
    if isinstance(net, FlowLowToHigh):
        scores["flow"] = spread_of(net)
    save_json(place / "scores.json", scores)
    print(name, study.seed, scores["scores"]["camera"]["psnr"], flush=True)


# ---- what a flow invents -------------------------------------------------------------------------
@torch.no_grad()
def drawn_one(net: FlowLowToHigh, lo: Tensor) -> Tensor:
    """A face of each LR image, of a noise of its own: for distances between sets."""
    pairs = zip(lo.split(64), net.noise(len(lo)).split(64), strict=True)
    return torch.cat([net(a, b) for a, b in pairs])


@torch.no_grad()
def spread_of(net: FlowLowToHigh) -> dict[str, Any]:
    """Several faces of each LR image: how far apart they lie, and how far from the truth."""
    pairs = load_faces("faces:test")
    hi, lo = (side.batch(slice(0, N_FACES)) for side in pairs)
    drawn = hl.sample(net, lo.to(net.power.device), n=N_DRAWN).cpu()
    truth, faces = unit_range(hi), unit_range(drawn)
    mean = faces.mean(1)
    first = faces[:, 0]
    # Were the truth one more draw, its squared distance to the mean of n would be (1 + 1/n) times
    # the variance.
    variance = faces.var(1).mean((1, 2, 3))
    error = (mean - truth).square().mean((1, 2, 3)) / (1 + 1 / N_DRAWN)
    scores = {
        "psnr_one": psnr(first, truth),
        "psnr_mean": psnr(mean, truth),
        "consistency": consistency(first, unit_range(lo)),
        "spread": variance.sqrt(),
        "missing": error.sqrt(),
    }
    found: dict[str, Any] = {"n": N_FACES, "drawn": N_DRAWN}
    for name, values in scores.items():
        value = values.double()
        ends = mean_interval(value)
        found[name] = {
            "value": round(value.mean().item(), 4),
            "ci": [round(end, 4) for end in ends] if ends else None,
        }
    found["explained"] = round((variance.sum() / error.sum()).item(), 3)
    return found


@torch.no_grad()
def unexplained(net: FlowLowToHigh) -> dict[str, Any]:
    """What a flow has learned at each spatial frequency, of grey.

    The best linear guess of the speed is wrong by b. Of the square of that the flow leaves a share.
    1: its network has learned nothing.

    Returns:
        For each band of BANDS its share of the power of hi - enlarged lo; of that what the mean
        leaves; and what the flow leaves at each of TIMES.
    """
    pairs = load_faces("faces:test")
    hi, lo = (side.batch(slice(0, N_FACES)) for side in pairs)
    axis = torch.arange(hi.shape[-1])
    frequency = (axis.square() + axis[:, None].square()).sqrt()
    band = torch.bucketize(frequency, torch.tensor(BANDS), right=True)

    def power(x: Tensor) -> Tensor:
        """Of grey, in each band."""
        squares = x[:, 0].square().mean(0)
        return torch.stack([squares[band == i].sum() for i in range(len(BANDS))])

    mean = net.mean(lo)
    lacks, r = (net.spectrum(hi - x) for x in (enlarged(lo, hi.shape[-1]), mean))
    found = {
        "of what LR lacks": power(lacks) / power(lacks).sum(),
        "not in the mean": power(r) / power(lacks),
    }
    noise = net.noise(len(lo))
    for at in TIMES:
        t = torch.full((len(lo),), at)
        a, b, _ = net.sizes(t)
        x = (1 - at) * net.spread * noise + at * r
        speed = r - net.spread * noise
        linear = (at * net.power - (1 - at) * net.spread.square()) / a.square() * x
        left = speed - net.velocity(x, t, lo, mean)
        found[str(at)] = power(left / b) / power((speed - linear) / b)
    return {name: [round(v, 3) for v in shares.tolist()] for name, shares in found.items()}


@torch.no_grad()
def draw(net: FlowLowToHigh) -> None:
    """LR, four draws, their mean and their spread, the truth."""
    pairs = load_faces("faces:test")
    hi, lo = (side.batch(slice(0, 8)) for side in pairs)
    drawn = hl.sample(net, lo, n=N_DRAWN)
    spread = drawn.std(1).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    rows = {"LR": enlarged(lo, hi.shape[-1])}
    for i in range(4):
        rows[f"draw {i + 1}"] = drawn[:, i]
    rows[f"mean of {N_DRAWN}"] = drawn.mean(1)
    rows["spread, 0 to 0.25"] = (4 * spread - 1).clamp(-1, 1)
    rows["ground truth"] = hi
    alt = (
        "Eight test faces in rows: the LR image, four faces that a flow draws for it, the mean of "
        "eight draws, their standard deviation as brightness, ground truth"
    )
    made: dict[str, Any] = {"command": "python tools/results/successors.py", "preset": "study"}
    save_figure(face_grid(rows, alt=alt, cell=64), ROOT / "figures" / "flow.png", seed=0, **made)


# ---- tables --------------------------------------------------------------------------------------
def _cell(score: dict, digits: int) -> str:
    """A value and its interval."""
    low, high = score["ci"]
    return f"{score['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _cost(stored: dict, name: str) -> str:
    """Images and minutes of CPU time."""
    cost = stored.get("cost", {}).get(name)
    return "" if cost is None else f"{cost['images']:,} | {cost['seconds'] / 60:.1f}"


def restorer_table(stored: dict) -> str:
    """The restorers, all on pairs of the learned camera."""
    lines = [
        "| restorer | PSNR dB | SSIM | Fréchet | consistency | images | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    return _rows(stored, RESTORERS, lines)


def degradation_table(stored: dict) -> str:
    """The degradations, each with a pixel-only L2H."""
    lines = [
        "| pairs of | PSNR dB | SSIM | Fréchet of LR images to the camera's | spread over draws | "
        "images, H2L | minutes, H2L |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in DEGRADATIONS:
        if name not in stored["scores"]:
            continue
        pairs = ROWS[name].pairs
        scores, made = stored["scores"][name]["camera"], stored["degradations"][pairs]
        label = pairs if name == "pixel only" else name
        cells = [label, _cell(scores["psnr"], 2), _cell(scores["ssim"], 3)]
        cells.append(_cell(made["frechet_lite0"], 0))
        cells.append(f"{made['diversity']['total']:.3f}")
        cost = _cost(stored, f"pairs {pairs}") or "– | –"
        lines.append(f"| {' | '.join(cells)} | {cost} |")
    return "\n".join([*lines, *_not_run(stored, DEGRADATIONS)])


def _rows(stored: dict, names: tuple[str, ...], lines: list[str]) -> str:
    for name in names:
        if name not in stored["scores"]:
            continue
        on = stored["scores"][name]
        cells = [
            name,
            _cell(on["camera"]["psnr"], 2),
            _cell(on["camera"]["ssim"], 3),
            _cell(on["camera"]["frechet_lite0"], 0),
            f"{on['wild']['consistency']['value']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} | {_cost(stored, name) or '– | –'} |")
    return "\n".join([*lines, *_not_run(stored, names)])


def _not_run(stored: dict, names: tuple[str, ...]) -> list[str]:
    """A line that names what is not stored yet; none where all is."""
    missing = [name for name in names if name not in stored["scores"]]
    return ["", f"Not run: {'; '.join(missing)}."] if missing else []


def shipped_flow() -> dict:
    """What `flow_weights.py` measured of the shipped flow."""
    return json.loads(FLOW_WEIGHTS.read_text())


def flow_table(stored: dict) -> str:
    """What draws of one LR image are worth, of the table's flow and of the shipped one."""
    lines = [
        f"| flow | images | PSNR of one draw | of the mean of {N_DRAWN} | spread | "
        "error of the mean | variance explained |",
        "|---|---|---|---|---|---|---|",
    ]
    shipped = shipped_flow()
    rows = {
        "the table's": (stored["cost"]["flow"]["images"], stored["flow"]["flow"]),
        "shipped, `flow`": (int(shipped["notes"]["images"]), shipped["spread"]),
    }
    for name, (images, found) in rows.items():
        cells = [name, f"{images:,}", *(_cell(found[k], 2) for k in ("psnr_one", "psnr_mean"))]
        cells += [_cell(found[k], 3) for k in ("spread", "missing")]
        lines.append(f"| {' | '.join(cells)} | {100 * found['explained']:.0f} % |")
    return "\n".join(lines)


def band_table(stored: dict) -> str:
    """What the shipped flow has learned at each spatial frequency."""
    bands = shipped_flow()["bands"]
    ends = ["0", *(f"1/{128 // end}" for end in BANDS[:-1])]
    titles = [f"{a} to {b}" for a, b in zip(ends, [*ends[1:], "1/2"], strict=True)]
    lines = [f"| cycles a pixel | {' | '.join(titles)} |", "|---" * (1 + len(titles)) + "|"]
    names = {"of what LR lacks": "share of what LR lacks, %"}
    names["not in the mean"] = "of that not in the mean, %"
    names |= {str(t): f"not learned at t = {t}, %" for t in TIMES}
    for key, name in names.items():
        shares = [f"{100 * share:.0f}" for share in bands[key]]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines)


TABLES = {
    "degradations": degradation_table,
    "restorers": restorer_table,
    "flow": flow_table,
    "bands": band_table,
}


def write_page(stored: dict) -> None:
    """Put the tables between their marks."""
    for mark, table in TABLES.items():
        between_marks(PAGE, table(stored), mark)


# ---- all seeds together --------------------------------------------------------------------------
def merged(folder: Path, only: list[str] | None = None) -> dict[str, Any]:
    """What all processes and seeds left in a folder, a mean over seeds for each number.

    Args:
        folder: of the runs.
        only: rows, by default all; pairs belong to the first row that uses them.
    """
    stored: dict[str, Any] = {}
    wanted = list(ROWS) if only is None else only
    first_with = {row.pairs: name for name, row in reversed(ROWS.items())}
    pairs = [p for p, name in first_with.items() if name in wanted]
    for name in (*(f"pairs {p}" for p in pairs), *wanted):
        # Rows, not run folders, say which seeds count: a degradation may be there without a row.
        short = Study("", "", folder).place(name).name.removesuffix("-0")
        found = [p.parent for p in folder.glob(f"{short}-*/scores.json")]
        places = sorted(p for p in found if p.name.removeprefix(f"{short}-").isdigit())
        if not places:
            continue
        scores = [json.loads((p / "scores.json").read_text()) for p in places]
        costs = [p / "cost.json" for p in places]
        if all(c.is_file() for c in costs):
            read = [json.loads(c.read_text()) for c in costs]
            stored.setdefault("cost", {})[name] = over_seeds(read)
        if name.startswith("pairs "):
            stored.setdefault("degradations", {})[name.removeprefix("pairs ")] = over_seeds(scores)
            continue
        stored.setdefault("scores", {})[name] = over_seeds([s["scores"] for s in scores])
        stored.setdefault("seeds", {})[name] = len(places)
        if "flow" in scores[0]:
            stored.setdefault("flow", {})[name] = over_seeds([s["flow"] for s in scores])
    return stored


def over_seeds(found: list[Any]) -> Any:
    """Numbers of each seed as one: means; of intervals the lowest and the highest end."""
    first = found[0]
    if isinstance(first, dict):
        both = {key: over_seeds([f[key] for f in found]) for key in first if key != "ci"}
        if first.get("ci"):
            ends = [f["ci"] for f in found]
            both["ci"] = [min(low for low, _ in ends), max(high for _, high in ends)]
        return both
    if isinstance(first, str):
        return first
    mean = sum(found) / len(found)
    return mean if isinstance(first, float) else round(mean)


def publish(folder: Path, only: list[str]) -> None:
    """Store what a folder holds of some rows, rewrite the page, draw the shipped flow."""
    stored = json.loads(STORED.read_text())
    for part, of_rows in merged(folder, only).items():
        stored[part] |= of_rows
    save_json(STORED, stored)
    write_page(stored)
    draw(cast(FlowLowToHigh, hl.load_weights("flow")))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=user_path, default=ROOT / "runs" / "successors")
    parser.add_argument("--only", nargs="*", default=list(ROWS), choices=ROWS, metavar="ROW")
    parser.add_argument("--preset", choices=list(LENGTHS), default="quick")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--updates", type=int, default=0, help="of each restorer")
    parser.add_argument("--h2l-updates", type=int, default=0)
    parser.add_argument("--publish", action="store_true", help="store and draw what is there")
    args = parser.parse_args()
    folder = args.runs / args.preset
    with one_thread():
        if args.publish:
            publish(folder, args.only)
            return
        study = Study(args.preset, args.device, folder, args.seed, args.h2l_updates, args.updates)
        for name in args.only:
            score(study, name)


if __name__ == "__main__":
    main()
