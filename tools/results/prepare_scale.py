"""How `hlgan prepare` scales: made JPEGs of 178x218, beside a plain process pool.

    python tools/results/prepare_scale.py --n 2000 20000

Makes the files in a temporary folder and deletes them. The plain pool reads, crops and reduces the
same files on the same cores and keeps nothing. Writes results/prepare-scale.json, an entry a number
of files, and figures/prepare-scale.png.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from PIL import Image

from hlgan_lib.data.pictures import fit, read_image, to_array
from hlgan_lib.files import save_json
from hlgan_lib.viz.canvas import blank, save_figure

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "prepare-scale.json"
FIGURE = ROOT / "figures" / "prepare-scale.png"
SIZE = 64
N_DIFFERENT = 500  # pictures that the made files repeat
CHUNK = 64
LOOK_S = 2.0  # between two looks at the memory


def make_files(n: int, folder: Path) -> None:
    """n JPEGs of CelebA's size, made of shipped faces."""
    from hlgan_lib.data.builtin import built_in

    faces = built_in("faces:train-hi")
    contents = []
    for image in faces.images[:N_DIFFERENT]:  # type: ignore[union-attr]  # no pairs
        held = io.BytesIO()
        large = Image.fromarray(image.transpose(1, 2, 0)).resize(
            (178, 218), Image.Resampling.BICUBIC
        )
        large.save(held, "jpeg", quality=90)
        contents.append(held.getvalue())
    for i in range(n):
        (folder / f"{i:06d}.jpg").write_bytes(contents[i % N_DIFFERENT])


def one(path: str) -> bytes:
    """What the plain pool does with a file."""
    return to_array(fit(read_image(path, 4 * SIZE), SIZE)).tobytes()


def cpu_s(own: bool = True) -> float:
    """CPU seconds of the ended children so far, and of this process with them."""
    whose = [resource.RUSAGE_CHILDREN] + [resource.RUSAGE_SELF] * own
    used = [resource.getrusage(who) for who in whose]
    return sum(u.ru_utime + u.ru_stime for u in used)


def plain_pool(folder: Path) -> tuple[float, float]:
    """Seconds of a plain pool, and its CPU seconds."""
    since, before = time.perf_counter(), cpu_s()
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.imap(one, paths, chunksize=CHUNK):
            pass
        pool.close()
        pool.join()
    return time.perf_counter() - since, cpu_s() - before


def prepared(folder: Path, out: Path) -> tuple[float, float, float]:
    """Seconds of `hlgan prepare`, start and end included, CPU seconds, most private memory, MB."""
    command = [sys.executable, "-m", "hlgan_lib", "prepare", "folder", str(folder)]
    # Not this process's own: it watches, which is no work of theirs.
    since, before = time.perf_counter(), cpu_s(own=False)
    run = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL)
    most = [0.0]

    def watch() -> None:
        while run.poll() is None:
            most[0] = max(most[0], private_mb(run.pid))
            time.sleep(LOOK_S)  # seldom: a look costs the 7 ms of a few files

    watcher = threading.Thread(target=watch)
    watcher.start()
    if run.wait():
        raise SystemExit("hlgan prepare failed")
    seconds = time.perf_counter() - since
    watcher.join()
    return seconds, cpu_s(own=False) - before, most[0]


def private_mb(pid: int) -> float:
    """Private memory of a process and its children, MB."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private"):
                total += int(line.split()[1]) / 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, ValueError):  # it ended meanwhile
        return total
    return total + sum(private_mb(int(child)) for child in children)


def opening(path: Path) -> dict[str, float]:
    """Milliseconds to open the file, seconds to check it and to draw a first batch."""
    import torch

    from hlgan_lib.data.npz import check_npz, load_npz
    from hlgan_lib.data.sampling import Sampler

    load_npz(path)
    times = []
    for _ in range(5):
        since = time.perf_counter()
        faces = load_npz(path)
        times.append(1000 * (time.perf_counter() - since))
    since = time.perf_counter()
    check_npz(path)
    checked = time.perf_counter() - since
    since = time.perf_counter()
    Sampler(faces, 64, "cpu", torch.Generator().manual_seed(0)).next()
    first = time.perf_counter() - since
    return {"open_ms": sorted(times)[2], "check_s": checked, "first_batch_s": first}


def measure(n: int, turns: int) -> dict[str, float]:
    """All numbers at n files, timed so many times."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as held:
        folder = Path(held, "in")
        folder.mkdir()
        make_files(n, folder)
        out = Path(held, "out.npz")
        # By turns, as other work on the machine comes and goes; of each the median.
        plain, ours, loads = [], [], []
        for _ in range(turns):
            plain.append(plain_pool(folder))
            ours.append(prepared(folder, out))
            loads.append(os.getloadavg()[0])
        row = {"n": n, "turns": turns, "load": median(loads)}
        row |= {"plain_s": median(p[0] for p in plain), "prepare_s": median(o[0] for o in ours)}
        row |= {"plain_cpu_s": median(p[1] for p in plain)}
        row |= {"prepare_cpu_s": median(o[1] for o in ours)}
        row["private_mb"] = max(o[2] for o in ours)
        row["file_mb"] = out.stat().st_size / 1e6
        return row | opening(out)


def draw(rows: list[dict[str, float]]) -> None:
    """The curve: seconds over files, ours and the plain pool's."""
    n = [row["n"] for row in rows]
    figure = blank(4.2, 2.8)
    axes = figure.subplots()
    for key, label, mark, colour in (
        ("prepare_s", "hlgan prepare", "o-", "#0072B2"),
        ("plain_s", "plain pool", "s--", "#E69F00"),
    ):
        axes.loglog(n, [row[key] for row in rows], mark, color=colour, label=label)
    axes.set_xlabel("JPEGs of 178×218")
    axes.set_ylabel("seconds")
    axes.legend(frameon=False)
    alt = "Seconds of hlgan prepare and of a plain pool over the number of files: " + ", ".join(
        f"{row['n']:,.0f} {row['prepare_s']:.1f} and {row['plain_s']:.1f} seconds" for row in rows
    )
    command = f"python tools/results/{Path(__file__).name} --n {' '.join(f'{k:.0f}' for k in n)}"
    save_figure(figure, FIGURE, alt, command=command)


def main() -> None:
    """Measure, store, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=[2000, 20_000])
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    stored = {}
    if RESULT.is_file():
        stored = {row["n"]: row for row in json.loads(RESULT.read_text())["rows"]}
    for n in asked.n:
        stored[n] = {key: round(value, 3) for key, value in measure(n, asked.turns).items()}
        print(stored[n], flush=True)
        rows = [stored[key] for key in sorted(stored)]
        about = {
            "what": "hlgan prepare folder, JPEGs of 178x218 to 64x64, beside a plain process pool",
            "machine": f"{len(os.sched_getaffinity(0))} CPU cores",
            "seconds": "the median, by turns; where the load is high CPU seconds say more",
            "load": "processes that wanted a core, these included (median of a minute's means)",
            "rows": rows,
        }
        save_json(RESULT, about)
    draw(rows)


if __name__ == "__main__":
    main()
