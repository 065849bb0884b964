"""Small made datasets in their owners' own layouts, odd rows included."""

import pytest

from tests.prepare.makers import coloured, picture, save, write


@pytest.fixture
def celeba(tmp_path):
    """Six aligned images with the owners' lists."""
    root = tmp_path / "celeba"
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


@pytest.fixture
def wider(tmp_path):
    """Three photographs with the odd rows of the owners' lists, and one of the second part."""
    root = tmp_path / "wider"
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


@pytest.fixture
def vggface2(tmp_path):
    """Two people, fifteen and three pictures, with the quoted CSV of boxes."""
    root = tmp_path / "vgg"
    rows = ["NAME_ID,X,Y,W,H"]
    for person, n in (("n000002", 15), ("n000009", 3)):
        for k in range(1, n + 1):
            save(root / f"train/{person}/{k:04d}_01.jpg", picture(120, 140, 10 * k))
            rows.append(f'"{person}/{k:04d}_01",20,20,80,90')
    rows[5] = '"n000002/0005_01",20,,80,90'
    write(root / "bb_landmark/loose_bb_train.csv", "\n".join(rows) + "\n")
    return root
