"""Face detectors whose weights come with their package, compared on made group pictures.

    python tools/results/detectors.py           those that are installed -> results/detectors.json
    python tools/results/detectors.py --only    measures nothing: writes the table of docs/data.md

Shipped test faces are pasted onto made backgrounds at several sizes, sharp, blurred and through a
bad camera. Each detector's boxes are first brought to the framing of the shipped faces, by factors
measured on training faces. A face is found where its frame and a box overlap by MIN_OVERLAP or more
(intersection over union); a box that overlaps no face is a false alarm.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import hlgan_lib as hl
from hlgan_lib.files import save_json, user_path

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "detectors.json"
PAGE = ROOT / "docs" / "data.md"
MARKS = "<!-- detectors:begin -->\n", "<!-- detectors:end -->\n"
WIDE, HIGH = 640, 480
SIZES = (20, 32, 64)
N_EACH = 18  # faces a size and condition
MIN_OVERLAP = 0.4
TRAIN, TEST = "faces:train-hi", "faces:test:hi"
CONDITIONS = ("sharp", "blurred", "bad camera")

Boxes = list[tuple[float, float, float, float]]  # x, y, w, h
Detect = Callable[[np.ndarray], Boxes]


@dataclass
class Group:
    """A made picture, uint8 (H, W, 3), and the frames (x, y, side) of its faces."""

    image: np.ndarray
    frames: list[tuple[int, int, int]]


# ---- the pictures --------------------------------------------------------------------------------
def background(rng: np.random.Generator) -> Image.Image:
    """Noise of all scales in a few colours, with rectangles and ellipses in front of it."""
    ky, kx = np.fft.fftfreq(HIGH)[:, None], np.fft.rfftfreq(WIDE)[None]
    slope = rng.uniform(1.2, 2.0)
    strength = (ky**2 + kx**2 + 1e-5) ** (-slope / 2)
    white = np.fft.rfft2(rng.standard_normal((HIGH, WIDE)))
    noise = np.fft.irfft2(white * strength, s=(HIGH, WIDE))
    noise = (noise - noise.min()) / np.ptp(noise)
    ends = rng.uniform(0, 255, (2, 3))
    pixels = ends[0] + noise[..., None] * (ends[1] - ends[0])
    image = Image.fromarray(pixels.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.integers(0, WIDE), rng.integers(0, HIGH)
        w, h = rng.integers(10, 160, 2)
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape(
            (int(x), int(y), int(x + w), int(y + h)), fill=tuple(map(int, rng.integers(0, 255, 3)))
        )
    return image.filter(ImageFilter.GaussianBlur(1))


def group(faces: np.ndarray, side: int, condition: str, rng: np.random.Generator) -> Group:
    """A picture with these faces (N, 3, 64, 64), each about `side` pixels wide, on a grid."""
    image = background(rng)
    draw = ImageDraw.Draw(image)
    n_across = min(len(faces), 4)
    frames = []
    for k, face in enumerate(faces):
        s = round(side * rng.uniform(0.9, 1.1))
        cell_w, cell_h = WIDE // n_across, HIGH // -(-len(faces) // n_across)
        x = k % n_across * cell_w + int(rng.integers(0, max(1, cell_w - s)))
        y = k // n_across * cell_h + int(rng.integers(0, max(1, cell_h - s)))
        body = tuple(map(int, rng.integers(0, 255, 3)))
        draw.ellipse((x - 0.4 * s, y + 0.95 * s, x + 1.4 * s, y + 3 * s), fill=body)
        picture = Image.fromarray(face.transpose(1, 2, 0)).resize((s, s), Image.Resampling.LANCZOS)
        # A soft ellipse, wider than the frame's corners, so that no straight edge is left.
        mask = Image.new("L", (4 * s, 4 * s), 0)
        ImageDraw.Draw(mask).ellipse((-0.1 * s, -0.3 * s, 4.1 * s, 4.2 * s), fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(0.15 * s)).resize((s, s))
        image.paste(picture, (x, y), mask)
        frames.append((x, y, s))
    if condition != "sharp":
        image = image.filter(ImageFilter.GaussianBlur(0.035 * side))
    pixels = np.asarray(image)
    if condition == "bad camera":
        dim = pixels * rng.uniform(0.35, 0.7) + rng.normal(0, 8, pixels.shape)
        held = io.BytesIO()
        Image.fromarray(np.clip(dim, 0, 255).astype(np.uint8)).save(held, "jpeg", quality=40)
        pixels = np.asarray(Image.open(held))
    return Group(pixels, frames)


@cache
def groups(faces: str, side: int, condition: str, seed: int) -> list[Group]:
    """N_EACH faces of a built-in set in pictures of six."""
    images = hl.load_faces(faces, role="hi").images
    rng = np.random.default_rng([seed, side, CONDITIONS.index(condition)])
    chosen = images[rng.choice(len(images), N_EACH, replace=False)]
    return [group(chosen[k : k + 6], side, condition, rng) for k in range(0, N_EACH, 6)]


def without_faces() -> list[np.ndarray]:
    """Ten made backgrounds, and the photographs without people inside scikit-image."""
    made = [np.asarray(background(np.random.default_rng([9, k]))) for k in range(10)]
    import skimage.data

    names = "brick camera chelsea coffee coins grass gravel hubble_deep_field moon rocket"
    for name in names.split():
        if name == "camera":  # a photographer
            continue
        pixels = getattr(skimage.data, name)()
        made.append(np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[..., :3])
    return [np.ascontiguousarray(image) for image in made]


# ---- the detectors -------------------------------------------------------------------------------
def enlarged(image: np.ndarray, factor: float) -> np.ndarray:
    """Enlarged, bilinear: detectors have a smallest face."""
    picture = Image.fromarray(image)
    size = round(picture.width * factor), round(picture.height * factor)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))


def cascade(path: str, factor: float, n_near: int) -> Detect:
    """One of OpenCV's cascades."""
    import cv2

    found = cv2.CascadeClassifier(path)

    def detect(image: np.ndarray) -> Boxes:
        grey = cv2.equalizeHist(cv2.cvtColor(enlarged(image, factor), cv2.COLOR_RGB2GRAY))
        boxes = found.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=n_near)
        return [of_numbers(box, factor) for box in boxes]

    return detect


def haar(name: str, factor: float, n_near: int) -> Detect:
    """A Haar cascade of opencv-python-headless."""
    import cv2.data

    return cascade(f"{cv2.data.haarcascades}haarcascade_frontalface_{name}.xml", factor, n_near)


def lbp(factor: float, n_near: int) -> Detect:
    """The cascade inside scikit-image, which OpenCV reads too."""
    import skimage.data

    return cascade(skimage.data.lbp_frontal_face_cascade_filename(), factor, n_near)


def of_numbers(box: Any, factor: float) -> tuple[float, float, float, float]:
    """Four numbers of the enlarged picture as x, y, w, h of the picture."""
    x, y, w, h = (float(v) / factor for v in box)
    return x, y, w, h


def of_rectangle(box: Any, factor: float) -> tuple[float, float, float, float]:
    """dlib's rectangle as x, y, w, h."""
    return of_numbers((box.left(), box.top(), box.width(), box.height()), factor)


def hog(factor: float, threshold: float) -> Detect:
    """dlib's frontal detector: its weights are in the library."""
    import dlib

    found = dlib.get_frontal_face_detector()

    def detect(image: np.ndarray) -> Boxes:
        boxes, _, _ = found.run(enlarged(image, factor), 0, threshold)
        return [of_rectangle(box, factor) for box in boxes]

    return detect


def mmod(factor: float) -> Detect:
    """dlib's network, of the package face_recognition_models."""
    import dlib
    import face_recognition_models

    found = dlib.cnn_face_detection_model_v1(
        face_recognition_models.cnn_face_detector_model_location()
    )

    def detect(image: np.ndarray) -> Boxes:
        return [of_rectangle(box.rect, factor) for box in found(enlarged(image, factor), 0)]

    return detect


def mtcnn(factor: float) -> Detect:
    """facenet-pytorch's."""
    from facenet_pytorch.models.mtcnn import MTCNN

    found = MTCNN(keep_all=True, min_face_size=20)

    def detect(image: np.ndarray) -> Boxes:
        boxes, _ = found.detect(Image.fromarray(enlarged(image, factor)))
        boxes = np.zeros((0, 4)) if boxes is None else boxes / factor
        return [(x, y, right - x, low - y) for x, y, right, low in boxes.tolist()]

    return detect


def mediapipe(model: int, factor: float) -> Detect:
    """MediaPipe's BlazeFace: 0 short range, 1 full range."""
    import mediapipe as mp

    found = mp.solutions.face_detection.FaceDetection(
        model_selection=model, min_detection_confidence=0.5
    )

    def detect(image: np.ndarray) -> Boxes:
        high, wide = image.shape[:2]
        boxes = []
        for face in found.process(enlarged(image, factor)).detections or ():
            box = face.location_data.relative_bounding_box
            boxes.append((box.xmin * wide, box.ymin * high, box.width * wide, box.height * high))
        return boxes

    return detect


DETECTORS: dict[str, Callable[[], Detect]] = {
    "Haar alt2, 2x, 3 neighbours": lambda: haar("alt2", 2, 3),
    "Haar alt2, 2x, 5 neighbours": lambda: haar("alt2", 2, 5),
    "Haar default, 2x, 5 neighbours": lambda: haar("default", 2, 5),
    "LBP, 2x, 5 neighbours": lambda: lbp(2, 5),
    "dlib HOG, 2x": lambda: hog(2, 0.0),
    "dlib HOG, 4x": lambda: hog(4, 0.0),
    "dlib network, 2x": lambda: mmod(2),
    "MTCNN, 2x": lambda: mtcnn(2),
    "MediaPipe short range": lambda: mediapipe(0, 1),
    "MediaPipe full range": lambda: mediapipe(1, 1),
}


# ---- the comparison ------------------------------------------------------------------------------
def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def framing(detect: Detect) -> tuple[float, float, float]:
    """Of the shipped frames: side, and shift of the middle right and down, in sides of the box."""
    rows = []
    for side in (32, 64):
        for picture in groups(TRAIN, side, "sharp", seed=1):
            for x, y, w, h in detect(picture.image):
                for fx, fy, s in picture.frames:
                    if abs(x + w / 2 - fx - s / 2) < s / 3 and abs(y + h / 2 - fy - s / 2) < s / 3:
                        long = max(w, h)
                        right = (fx + s / 2 - x - w / 2) / long
                        rows.append((s / long, right, (fy + s / 2 - y - h / 2) / long))
    if not rows:
        return 1.0, 0.0, 0.0
    scale, right, down = np.median(rows, 0)
    return float(scale), float(right), float(down)


def framed(box: tuple[float, ...], by: tuple[float, float, float]) -> tuple[float, ...]:
    """A detector's box as the shipped faces are framed."""
    x, y, w, h = box
    long = max(w, h)
    side = by[0] * long
    return x + w / 2 + by[1] * long - side / 2, y + h / 2 + by[2] * long - side / 2, side, side


def scored(detect: Detect, empty: list) -> dict[str, Any]:
    """Recall by condition and size, false alarms, time."""
    by = framing(detect)
    row: dict[str, Any] = {"framing": [round(v, 3) for v in by], "recall": {}}
    n_false = n_pictures = 0
    seconds = 0.0
    overlaps = []
    for condition in CONDITIONS:
        row["recall"][condition] = {}
        for side in SIZES:
            n_found = n_faces = 0
            for picture in groups(TEST, side, condition, seed=2):
                since = time.process_time()
                boxes = [framed(box, by) for box in detect(picture.image)]
                seconds += time.process_time() - since
                best = []
                for frame in picture.frames:
                    truth = (*frame, frame[2])
                    best.append(max((overlap(truth, box) for box in boxes), default=0.0))
                n_found += sum(value >= MIN_OVERLAP for value in best)
                overlaps += [value for value in best if value >= MIN_OVERLAP]
                n_faces += len(best)
                for box in boxes:
                    hits = [overlap((*frame, frame[2]), box) for frame in picture.frames]
                    n_false += max(hits) < MIN_OVERLAP
                n_pictures += 1
            row["recall"][condition][str(side)] = round(n_found / n_faces, 3)
    row["recall_all"] = round(
        float(np.mean([v for rows in row["recall"].values() for v in rows.values()])), 3
    )
    row["overlap"] = round(float(np.mean(overlaps)), 3) if overlaps else None
    row["false_alarms_groups"] = n_false
    row["pictures"] = n_pictures
    row["false_alarms_empty"] = sum(len(detect(image)) for image in empty)
    row["pictures_empty"] = len(empty)
    row["cpu_s_a_picture"] = round(seconds / n_pictures, 3)
    return row


def table(rows: dict[str, Any]) -> str:
    """The stored numbers as Markdown: recall in percent by condition, false alarms, seconds."""
    heads = ["detector", *CONDITIONS, "all", "false alarms", "CPU seconds a picture"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, row in rows.items():
        cells = [name]
        for condition in CONDITIONS:
            parts = [f"{row['recall'][condition][str(side)]:.0%}" for side in SIZES]
            cells.append(" / ".join(parts))
        cells.append(f"{row['recall_all']:.0%}")
        cells.append(
            f"{row['false_alarms_groups']} in {row['pictures']}, {row['false_alarms_empty']} in "
            f"{row['pictures_empty']}"
        )
        cells.append(f"{row['cpu_s_a_picture']:.2g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(rows: dict[str, Any]) -> None:
    """Put the table between its marks on the page."""
    text = PAGE.read_text()
    begin, end = (text.index(mark) for mark in MARKS)
    PAGE.write_text(text[: begin + len(MARKS[0])] + table(rows) + text[end:])


def main() -> None:
    """Compare those that are installed; others keep the numbers that they have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="of DETECTORS")
    parser.add_argument("--show", type=user_path, help="only write examples of the pictures, here")
    asked = parser.parse_args()
    if asked.show:
        for condition in CONDITIONS:
            for side in SIZES:
                example = groups(TEST, side, condition, seed=2)[0]
                Image.fromarray(example.image).save(asked.show / f"{condition}-{side}.png")
        return
    empty = without_faces()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else {}
    for name, make in DETECTORS.items():
        if asked.only is not None and name not in asked.only:
            continue
        try:
            detect = make()
        except ImportError as error:
            print(f"{name}: not installed ({error})")
            continue
        rows[name] = scored(detect, empty)
        print(name, rows[name], flush=True)
        about = {
            "what": "recall of shipped test faces in made group pictures of 640x480",
            "faces": f"{N_EACH} a size and condition",
            "found": f"overlap with the shipped framing of {MIN_OVERLAP} or more",
            "rows": {key: rows[key] for key in DETECTORS if key in rows},
        }
        save_json(RESULT, about)
    write_table({name: rows[name] for name in DETECTORS if name in rows})


if __name__ == "__main__":
    main()
