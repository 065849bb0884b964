"""Faces from anywhere: shipped, folders of any pictures, .npz files; batches, sampler, augmentation."""

import io
import logging
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from hlgan_lib.data import loading
from hlgan_lib.data.faces import FaceSet, to_float, to_uint8
from hlgan_lib.data.loading import load_camera_params, load_faces, read_image
from hlgan_lib.data.sampling import Sampler, augment
from hlgan_lib.errors import HLError


def picture(size=(80, 80), mode="RGB", seed=0):
    """A smooth picture: a gradient with a bright spot."""
    w, h = size
    y, x = np.mgrid[:h, :w] / max(h, w)
    rgb = np.stack([x, y, 1 - x], -1) * 255
    rgb[h // 4 : h // 3, w // 4 : w // 3] = (seed * 37) % 256
    return Image.fromarray(rgb.astype(np.uint8)).convert(mode)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for i, name in enumerate(["one.png", "a/two.png", "a/b/three.jpg"]):
        picture(seed=i).save(tmp_path / name)
    return tmp_path


def numbered(n=10, size=8):
    images = (
        np.arange(n, dtype=np.uint8)[:, None, None, None]
        .repeat(3, 1)
        .repeat(size, 2)
        .repeat(size, 3)
    )
    return FaceSet(images, tuple(f"{i}.png" for i in range(n)), "numbered")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- shipped -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name, n, size",
    [
        ("faces:train-hi", 3000, 64),
        ("faces:train-lo", 4800, 16),
        ("faces:val:hi", 200, 64),
        ("faces:val:lo", 200, 16),
        ("faces:test:hi", 600, 64),
        ("faces:test:lo", 600, 16),
    ],
)
def test_shipped_sets_have_their_size(name, n, size):
    faces = load_faces(name)
    assert len(faces) == n and faces.size == (size, size) and faces.images.dtype == np.uint8
    assert (
        not faces.images.flags.writeable and faces.images is load_faces(name).images
    )  # decoded once
    assert faces.images.reshape(n, -1).std(1).min() > 3  # no empty tile


def test_pairs_show_the_same_face_and_splits_share_nobody():
    people = {}
    for name in ("val", "test"):
        pairs = load_faces(f"faces:{name}")
        assert pairs.hi.names == pairs.lo.names
        hi, lo = (x.batch().mean(1, keepdim=True) for x in pairs)
        hi = torch.nn.functional.avg_pool2d(hi, 4)
        similarity = lambda a, b: torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1]  # noqa: E731
        own = np.mean([similarity(h, s) for h, s in zip(hi, lo, strict=True)])
        assert (
            own
            > 0.75
            > np.mean([similarity(h, s) for h, s in zip(hi, lo.roll(1, 0), strict=True)]) + 0.2
        )
        people[name] = {n[:5] for n in pairs.hi.names}
    for name in ("train-hi", "train-lo"):
        people[name] = {n[:5] for n in load_faces(f"faces:{name}").names}
    assert [len(people[n]) for n in ("train-hi", "train-lo", "val", "test")] == [
        3000,
        1200,
        200,
        600,
    ]
    assert len(set().union(*people.values())) == 5000


def test_shipped_files_are_whole_and_small():
    import hashlib

    sums = loading._meta()["sha256"]
    assert (
        all(
            hashlib.sha256((loading.SHIPPED / f).read_bytes()).hexdigest() == s
            for f, s in sums.items()
        )
        and len(sums) == 8
    )
    assert sum(p.stat().st_size for p in loading.SHIPPED.iterdir()) < 20e6


def test_camera_parameters_come_with_val_and_test():
    for name, n in (("faces:val", 200), ("faces:test", 600)):
        params = load_camera_params(name)
        assert params["white_balance"].shape == (n, 3) and params["sensor_px"].min() >= 16
    with pytest.raises(HLError, match="faces:val and faces:test, got faces:train-lo"):
        load_camera_params("faces:train-lo")


@pytest.mark.parametrize(
    "name, role, message",
    [
        ("faces:vla", None, "must be one of faces:train-hi"),
        ("faces:val:mid", None, "with :hi or :lo"),
        ("faces:train-lo", "hi", "use faces:train-hi"),
        ("faces:train-hi:lo", None, "use faces:train-lo"),
        ("faces:val:hi", "lo", "use faces:val:lo"),
    ],
)
def test_wrong_names_say_what_to_use(name, role, message):
    with pytest.raises(HLError, match=message):
        load_faces(name, role=role)


def test_role_and_size_of_shipped_faces():
    assert load_faces("faces:val", role="lo").size == (16, 16)
    small = load_faces("faces:val:hi", size=32)
    assert small.size == (32, 32) and len(small) == 200
    pooled = torch.nn.functional.avg_pool2d(load_faces("faces:val:hi").batch(), 2)
    assert (small.batch() - pooled).abs().mean() < 0.05
    with pytest.raises(HLError, match="at least 128x128, got 64x64"):
        load_faces("faces:val:hi", size=128)
    with pytest.raises(HLError, match="faces:val:hi or faces:val:lo"):
        load_faces("faces:val", size=32)


# ---- folders -----------------------------------------------------------------------------------------------------
def test_folder_is_read_recursively_in_order(folder):
    faces = load_faces(folder, role="hi")
    assert (
        faces.names == ("a/b/three.jpg", "a/two.png", "one.png")
        and faces.size == (64, 64)
        and faces.skipped == ()
    )
    assert load_faces(folder).size == (80, 80) and load_faces(str(folder), 24).size == (24, 24)


@pytest.mark.parametrize(
    "mode, suffix",
    [
        ("L", "png"),
        ("1", "png"),
        ("P", "gif"),
        ("CMYK", "jpg"),
        ("CMYK", "tiff"),
        ("RGBA", "png"),
        ("LA", "png"),
        ("RGB", "bmp"),
        ("RGB", "webp"),
        ("RGB", "ppm"),
        ("I;16", "png"),
        ("I;16", "tiff"),
        ("F", "tiff"),
        ("YCbCr", "jpg"),
    ],
)
def test_any_mode_looks_like_the_original(tmp_path, mode, suffix):
    grey = mode in ("L", "1", "LA", "I;16", "F")
    wanted = np.asarray(picture(mode="L" if grey else "RGB").convert("RGB"), np.float64)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(picture(mode="L")).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(picture(mode="L")).astype(np.float32) / 255)
    else:
        image = picture(mode=mode)
    image.save(tmp_path / f"x.{suffix}")
    got = np.asarray(read_image(tmp_path / f"x.{suffix}"), np.float64)
    coarse = [
        x.reshape(10, 8, 10, 8, 3).mean((1, 3)) for x in (got, wanted)
    ]  # 1 and P are dithered
    assert got.shape == (80, 80, 3) and np.abs(coarse[0] - coarse[1]).mean() < 12
    if mode in ("L", "LA", "I;16", "F") and suffix != "jpg":
        assert np.abs(got - wanted).max() <= 1


def test_transparency_lies_on_white(tmp_path):
    image = picture(mode="RGBA")
    image.putalpha(0)
    image.save(tmp_path / "clear.png")
    assert np.asarray(read_image(tmp_path / "clear.png")).min() == 255


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (70, 70), c) for c in ("red", "green", "blue")]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:])
        r, g, b = np.asarray(read_image(tmp_path / f"x.{suffix}"))[35, 35].astype(int)
        assert r > 200 and g < 60 and b < 60


@pytest.mark.parametrize("mark, turn", [(1, 0), (3, 180), (6, 270), (8, 90)])
def test_exif_rotation_is_honoured(tmp_path, mark, turn):
    exif = Image.Exif()
    exif[0x0112] = mark
    picture((96, 80)).save(tmp_path / "x.jpg", exif=exif, quality=95)
    wanted = picture((96, 80)).rotate(turn, expand=True)
    got = read_image(tmp_path / "x.jpg")
    assert (
        got.size == wanted.size
        and np.abs(np.asarray(got, float) - np.asarray(wanted, float)).mean() < 4
    )


def test_hi_is_centre_cropped_and_antialiased(tmp_path):
    stripes = np.zeros((192, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than 64 pixels can show
    stripes[:, :32], stripes[:, -32:] = (255, 0, 0), (255, 0, 0)  # outside the centre square
    for name in ("a.png", "b.png"):
        Image.fromarray(stripes).save(tmp_path / name)
    faces = load_faces(tmp_path, role="hi")
    assert faces.size == (64, 64) and np.abs(faces[0].astype(int)[:, :, 2:-2] - 128).max() < 12


def test_small_hi_is_skipped_by_name(folder, caplog):
    picture((60, 200)).save(folder / "small.png")
    with caplog.at_level(logging.WARNING, "hlgan"):
        faces = load_faces(folder, role="hi")
    assert (
        len(faces) == 3
        and faces.skipped[0][0] == "small.png"
        and "at least 64x64, got 60x200" in faces.skipped[0][1]
    )
    assert "skipped 1 of 4 files" in caplog.text and "small.png" in caplog.text


def test_lo_warns_once_where_it_shrinks(tmp_path):
    for i, side in enumerate((16, 24, 25, 64)):
        picture((side, side)).save(tmp_path / f"{i}.png")
    with pytest.warns(
        UserWarning, match="2 lo pictures shrink by more than 1.5 to 16x16"
    ) as caught:
        assert load_faces(tmp_path, role="lo").size == (16, 16)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_faces("faces:train-lo", role="lo")


def test_mixed_sizes_without_a_size_are_an_error(folder):
    picture((90, 90)).save(folder / "z.png")
    with pytest.raises(HLError, match="got z.png of 90x90: give size"):
        load_faces(folder)


def bomb(side=30_000):
    """A PNG that says it is side x side, in a few hundred bytes."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_broken_files_are_skipped_counted_and_named(folder, caplog):
    whole = io.BytesIO()
    picture().save(whole, "PNG")
    noise = np.random.default_rng(0).bytes(500)
    broken = {
        "cut.png": whole.getvalue()[: len(whole.getvalue()) // 2],
        "empty.jpg": b"",
        "notes.txt": b"hello",
        "noise.gif": b"GIF89a" + noise,
        "noise.tif": b"II*\0" + noise,
        "noise.webp": b"RIFF" + noise,
        "bomb.png": bomb(),
        "large.png": bomb(8_100),
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 80\n",
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / ".hidden").write_bytes(b"")
    with caplog.at_level(logging.INFO, "hlgan"):
        faces = load_faces(folder, role="hi")
    assert (
        len(faces) == 3
        and {name for name, _ in faces.skipped} == set(broken)
        and all(why for _, why in faces.skipped)
    )
    assert "skipped 9 of 12 files" in caplog.text and all(name in caplog.text for name in broken)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "large.png").write_bytes(bomb(8_100))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(HLError, match="8100x8100 pixels, more than"):
        read_image(tmp_path / "large.png")


def test_fewer_than_two_pictures_is_an_error(tmp_path):
    with pytest.raises(HLError, match="at least 2 usable pictures, got 0"):
        load_faces(tmp_path)
    picture().save(tmp_path / "one.png")
    (tmp_path / "two.png").write_bytes(b"no")
    with pytest.raises(HLError, match="got 1 .1 skipped, the first: two.png"):
        load_faces(tmp_path, role="hi")
    assert len(load_faces(tmp_path / "one.png", role="hi", minimum=1)) == 1


@pytest.mark.parametrize("source", ["no/such/folder", "no.npz", ""])
def test_wrong_paths_say_what_to_give(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HLError, match="give a folder"):
        load_faces(source)


def test_wrong_role_and_size(folder):
    with pytest.raises(HLError, match="role must be"):
        load_faces(folder, role="mid")
    with pytest.raises(HLError, match="size must be at least 1"):
        load_faces(folder, 0)


# ---- FaceSet -----------------------------------------------------------------------------------------------------
def test_save_and_load_map_the_file(folder, tmp_path):
    faces = load_faces(folder, role="hi")
    path = faces.save(tmp_path / "set.npz")
    again = load_faces(path)
    assert (
        isinstance(again.images, np.memmap)
        and np.array_equal(again.images, faces.images)
        and again.names == faces.names
    )
    again.save(path)  # over itself
    assert np.array_equal(load_faces(path).images, faces.images) and not list(
        tmp_path.glob(".*.part")
    )
    assert load_faces(path, 32).size == (32, 32)
    with pytest.warns(UserWarning, match="3 lo pictures shrink"):
        load_faces(path, role="lo")


def test_compressed_npz_is_read(tmp_path):
    faces = numbered()
    np.savez_compressed(tmp_path / "c.npz", images=faces.images, names=np.array(faces.names))
    assert np.array_equal(load_faces(tmp_path / "c.npz").images, faces.images)


@pytest.mark.parametrize(
    "content",
    [
        dict(pictures=np.zeros((3, 3, 8, 8), np.uint8)),
        dict(images=np.zeros((3, 8, 8, 3), np.uint8), names=np.array(list("abc"))),
        dict(images=np.zeros((3, 3, 8, 8)), names=np.array(list("abc"))),
        dict(images=np.zeros((3, 3, 8, 8), np.uint8), names=np.array(list("ab"))),
        dict(images=np.array([{}], dtype=object), names=np.array(["a"])),
    ],
)
def test_other_npz_files_are_refused(tmp_path, content):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(HLError, match="FaceSet"):
        load_faces(tmp_path / "x.npz")


def test_a_cut_npz_is_refused(tmp_path):
    path = numbered().save(tmp_path / "x.npz")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(HLError, match="must be a FaceSet file"):
        load_faces(path)


def test_save_to_a_wrong_place(tmp_path):
    with pytest.raises(HLError, match="must end in .npz"):
        numbered().save(tmp_path / "x.bin")
    with pytest.raises(HLError, match="cannot write"):
        numbered().save(tmp_path / "no" / "x.npz")


def test_indexing_and_batches():
    faces = numbered()
    assert (
        len(faces[2:5]) == 3
        and faces[2:5].names == ("2.png", "3.png", "4.png")
        and faces[7].shape == (3, 8, 8)
    )
    assert faces[[1, 8]].names == ("1.png", "8.png")
    x = faces.batch([0, 9])
    assert x.dtype == torch.float32 and x.shape == (2, 3, 8, 8) and x[0].max() == -1
    assert x[1, 0, 0, 0].item() == pytest.approx(9 / 127.5 - 1)
    v = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(v)), v) and to_uint8(
        torch.tensor([-2.0, 2.0])
    ).tolist() == [0, 255]


# ---- sampler and augmentation ------------------------------------------------------------------------------------
def level(x):
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_sampler_gives_each_face_once_an_epoch():
    sampler = Sampler(numbered(), 4, "cpu", seeded())
    seen = sum((level(sampler.next()) for _ in range(5)), [])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10)) and seen[:10] != seen[10:]
    assert len(Sampler(numbered(3), 8, "cpu", seeded()).next()) == 8
    with pytest.raises(HLError, match="at least 1"):
        Sampler(numbered(), 0, "cpu", seeded())


def test_sampler_goes_on_exactly_where_it_was():
    a = Sampler(numbered(), 3, "cpu", seeded(1))
    a.next()
    state = a.state_dict()
    wanted = [level(a.next()) for _ in range(8)]
    b = Sampler(numbered(), 3, "cpu", seeded(2))
    b.load_state_dict(state)
    assert [level(b.next()) for _ in range(8)] == wanted


def test_augment_flips_half_and_keeps_the_rest():
    x = load_faces("faces:val:hi").batch(slice(0, 64))
    y = augment(x, seeded())
    same = (y == x).flatten(1).all(1)
    mirrored = (y == x.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all() and 16 < same.sum() < 48
    assert torch.equal(augment(x, seeded(), flip=False), x) and torch.equal(augment(x, seeded()), y)


def test_augment_moves_and_recolours_within_its_ranges():
    x = load_faces("faces:val:hi").batch(slice(0, 32))
    y = augment(x, seeded(), flip=False, scale=0.1, rotate_deg=8, shift=0.05)
    assert y.shape == x.shape and y.abs().max() <= 1 and not torch.equal(x, y)
    assert (y.mean((2, 3)) - x.mean((2, 3))).abs().max() < 0.2
    spot = torch.full((400, 3, 65, 65), -1.0)
    spot[:, :, 32, 32] = 1
    place = augment(spot, seeded(), flip=False, shift=0.1)[:, 0].flatten(1).argmax(1)
    moved = torch.stack((place // 65 - 32, place % 65 - 32)).abs()
    assert 5 <= moved.max() <= 7
    z = augment(x, seeded(), flip=False, colour=0.2)
    assert (
        (z.mean((1, 2, 3)) - x.mean((1, 2, 3))).abs().max() < 0.5
        and not torch.equal(x, z)
        and z.abs().max() <= 1
    )
