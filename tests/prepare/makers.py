"""Made pictures and folders for tests of prepare: colours and noise, no people."""

import io
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(width: int, height: int, level: int = 0) -> Image.Image:
    """Noise around a level, so that each picture is known again."""
    rng = np.random.default_rng(level)
    pixels = np.clip(level + rng.integers(-8, 8, (height, width, 3)), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coloured(width: int, height: int, squares: dict) -> Image.Image:
    """Black, with squares (x, y, side) -> level."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for (x, y, side), level in squares.items():
        pixels[y : y + side, x : x + side] = level
    return Image.fromarray(pixels)


def zipped(folder: Path, to: Path) -> Path:
    """The folder as a zip."""
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return to


def png_bytes(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "png")
    return held.getvalue()


def celeba_of(root: Path) -> Path:
    """Six aligned images with the owners' lists."""
    for i in range(1, 7):
        save(root / f"img_align_celeba/{i:06d}.jpg", picture(178, 218, 30 * i))
    parts = "".join(f"{i:06d}.jpg {(i - 1) // 2}\n" for i in range(1, 7))
    write(root / "list_eval_partition.txt", parts)
    write(root / "identity_CelebA.txt", "".join(f"{i:06d}.jpg {2880 + i}\n" for i in range(1, 7)))
    heads = "6\nlefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y "
    heads += "rightmouth_x rightmouth_y\n"
    rows = "".join(
        f"{i:06d}.jpg 69  109  106  113   77  142   73  152  108  154\n" for i in range(1, 7)
    )
    write(root / "list_landmarks_align_celeba.txt", heads + rows)
    return root


def wider_of(root: Path) -> Path:
    """Three photographs with the odd rows of the owners' lists, and one of the second part."""
    levels = {(10, 10, 16): 200, (100, 40, 24): 100, (60, 60, 16): 50}
    save(root / "WIDER_train/images/0--Parade/0_Parade_a_1.png", coloured(160, 120, levels))
    save(root / "WIDER_train/images/0--Parade/0_Parade_b_2.png", coloured(160, 120, {}))
    save(root / "WIDER_train/images/1--Handshaking/1_c_3.png", coloured(160, 120, {}))
    save(root / "WIDER_val/images/2--Riot/2_d_4.png", coloured(160, 120, {(20, 20, 20): 90}))
    train = """0--Parade/0_Parade_a_1.png
5
10 10 16 16 2 0 1 0 1 0
100 40 24 24 0 1 0 0 0 1
60 60 16 16 1 0 0 1 2 0
30 30 0 12 0 0 0 0 0 0
40 40 -5 16 0 0 0 0 0 0
0--Parade/0_Parade_b_2.png
0
0 0 0 0 0 0 0 0 0 0
1--Handshaking/1_c_3.png
4
-2 -2 20 20 0 0 0 0 0 0
150 110 20 20 0 0 0 0 0 0
20 20 90 90 0 0 0 0 0 0
50 50 8 8 0 0 0 0 0 0
1--Handshaking/missing.png
1
1 1 16 16 0 0 0 0 0 0
"""
    write(root / "wider_face_split/wider_face_train_bbx_gt.txt", train)
    val = "2--Riot/2_d_4.png\n1\n20 20 20 20 0 0 0 0 0 0\n"
    write(root / "wider_face_split/wider_face_val_bbx_gt.txt", val)
    return root


def vggface2_of(root: Path) -> Path:
    """Two people, fifteen and three pictures, with the quoted CSV of boxes."""
    rows = ["NAME_ID,X,Y,W,H"]
    for person, n in (("n000002", 15), ("n000009", 3)):
        for k in range(1, n + 1):
            save(root / f"train/{person}/{k:04d}_01.jpg", picture(120, 140, 10 * k))
            rows.append(f'"{person}/{k:04d}_01",20,20,80,90')
    rows[5] = '"n000002/0005_01",20,,80,90'
    write(root / "bb_landmark/loose_bb_train.csv", "\n".join(rows) + "\n")
    return root


def aflw_of(root: Path) -> Path:
    """A photograph of three faces, one without a box, and a photograph that is missing."""
    photograph = coloured(300, 200, {(20, 20, 70): 200, (150, 60, 80): 90})
    save(root / "data/flickr/0/image00002.png", photograph)
    base = sqlite3.connect(root / "data/aflw.sqlite")
    base.executescript("""
        CREATE TABLE FaceImages (image_id INTEGER, db_id TEXT, file_id TEXT, filepath TEXT,
            bw INTEGER, width INTEGER, height INTEGER);
        CREATE TABLE Faces (face_id INTEGER, file_id TEXT, db_id TEXT);
        CREATE TABLE FaceRect (face_id INTEGER, x INTEGER, y INTEGER, w INTEGER, h INTEGER,
            annot_type_id INTEGER);
        INSERT INTO FaceImages VALUES (1, 'AFLW', 'image00002.png', '0/image00002.png', 0, 9, 9);
        INSERT INTO FaceImages VALUES (2, 'AFLW', 'image00013.jpg', '2/image00013.jpg', 0, 9, 9);
        INSERT INTO Faces VALUES (39341, 'image00002.png', 'AFLW');
        INSERT INTO Faces VALUES (39342, 'image00002.png', 'AFLW');
        INSERT INTO Faces VALUES (39343, 'image00002.png', 'AFLW');
        INSERT INTO Faces VALUES (39344, 'image00013.jpg', 'AFLW');
        INSERT INTO FaceRect VALUES (39341, 20, 20, 70, 70, 1);
        INSERT INTO FaceRect VALUES (39342, 150, 60, 80, 80, 1);
        INSERT INTO FaceRect VALUES (39344, 1, 1, 80, 80, 1);
    """)
    base.close()
    return root


def folder_of(root: Path) -> Path:
    """Pictures of several formats, in a folder below too."""
    for k, name in enumerate(("a.jpg", "b.png", "more/c.webp", "more/d.gif")):
        save(root / name, picture(24 + k, 30, 40 * k + 20))
    return root


def boxes_of(root: Path) -> Path:
    """A photograph of two faces with a CSV of boxes."""
    save(root / "a.png", coloured(100, 60, {(10, 10, 20): 200, (50, 20, 30): 90}))
    write(root / "boxes.csv", "file,x,y,w,h,age\na.png,10,10,20,20,31\na.png,50,20,30,30,8\n")
    return root
