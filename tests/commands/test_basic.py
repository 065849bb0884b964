"""degrade, upscale, prepare, evaluate and demo, on files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import hlgan_lib as hl
from hlgan_lib import cli
from hlgan_lib.checkpoint import read_weights
from hlgan_lib.prepare import photograph
from tests.helpers import refused

pytestmark = pytest.mark.usefixtures("one_thread")


def contents(folder: Path) -> dict:
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def save_picture(path: Path, size: int, seed: int = 0, width: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size, width or size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pixels(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def test_degrade_keeps_names_folders_and_noise(runs, tmp_path, capsys):
    source = tmp_path / "in"
    for k, name in enumerate(("a.jpg", "sub/b.png", "sub/b.jpg")):
        save_picture(source / name, 64 + 10 * k, k)
    (source / "notes.png").write_text("no picture")
    argv = ["degrade", "--weights", str(runs / "h2l"), "--input", str(source), "--n-z", "2"]
    for out, seed in (("x", "5"), ("y", "5"), ("z", "6")):
        assert cli.main([*argv, "--out", str(tmp_path / out), "--seed", seed]) == 0
    assert "notes.png" in capsys.readouterr().err
    x, y, z = (
        {str(p.relative_to(folder)): pixels(p) for p in folder.rglob("*.png")}
        for folder in (tmp_path / out for out in "xyz")
    )
    assert sorted(x) == [
        "a_z0.png",
        "a_z1.png",
        "sub/b.jpg_z0.png",
        "sub/b.jpg_z1.png",
        "sub/b.png_z0.png",
        "sub/b.png_z1.png",
    ]
    assert all(p.shape == (3, 16, 16) for p in x.values())
    assert all(torch.equal(x[k], y[k]) for k in x) and not any(torch.equal(x[k], z[k]) for k in x)
    assert not torch.equal(x["a_z0.png"], x["a_z1.png"])


def test_upscale_is_the_apis(runs, tmp_path):
    argv = [
        "upscale",
        "--weights",
        str(runs / "l2h"),
        "--input",
        "faces:val",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main(argv) == 0
    lo = hl.load_faces("faces:val:lo")
    ours = hl.data.to_uint8(hl.upscale(runs / "l2h", lo.batch()))
    for k in (0, 63, 64, 199):
        difference = pixels(tmp_path / "out" / lo.names[k]).int() - ours[k].int()
        assert difference.abs().max() <= 1  # batches of other sizes may round differently
    assert len(list((tmp_path / "out").glob("[!.]*"))) == len(lo)


def test_upscale_takes_one_picture_and_a_face_set(runs, tmp_path):
    one, npz = save_picture(tmp_path / "in" / "one.bmp", 16), tmp_path / "set.npz"
    hl.load_faces("faces:val:lo")[:3].save(npz)
    for source in (one, npz):
        assert (
            cli.main(
                [
                    "upscale",
                    "--weights",
                    str(runs / "l2h"),
                    "--input",
                    str(source),
                    "--out",
                    str(tmp_path / "out"),
                ]
            )
            == 0
        )
    names = ["one.png", *hl.load_faces("faces:val:lo").names[:3]]
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == sorted(names)
    assert all(pixels(p).shape == (3, 64, 64) for p in (tmp_path / "out").glob("[!.]*"))


def test_other_sizes_are_refused_without_fit(runs, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    save_picture(source / "a.png", 16)
    save_picture(source / "b.png", 20, width=30)
    argv = ["upscale", "--weights", runs / "l2h", "--input", source, "--out", out]
    said = refused(argv, capsys)
    assert "did you mix up HR and LR?" in said and "--fit" in said and not out.exists()
    save_picture(source / "c.png", 9)
    assert cli.main([*map(str, argv), "--fit"]) == 0
    shown = capsys.readouterr()
    assert sorted(p.name for p in out.glob("[!.]*")) == ["a.png", "b.png"] and "c.png" in shown.err
    (source / "a.png").unlink()
    (source / "c.png").unlink()
    save_picture(source / "b.png", 20)
    assert "20x20" in refused(argv, capsys)


def test_inputs_are_never_overwritten(runs, tmp_path, capsys):
    source = tmp_path / "in"
    picture = save_picture(source / "a.png", 16)
    before = contents(tmp_path)
    for given, out in (
        (source, source),
        (picture, source),
        (source, source / "out"),
        (picture, picture),
    ):
        line = refused(
            ["upscale", "--weights", runs / "l2h", "--input", given, "--out", out], capsys
        )
        assert "choose" in line
    assert contents(tmp_path) == before


def test_names_of_a_strangers_file_stay_inside_out(runs, tmp_path, capsys):
    for name in ("../../evil", "/tmp/evil"):
        npz = tmp_path / "set.npz"
        hl.FaceSet(np.zeros((2, 3, 16, 16), np.uint8), ("a", name), "made").save(npz)
        argv = ["upscale", "--weights", runs / "l2h", "--input", npz, "--out", tmp_path / "out"]
        assert "leads out" in refused(argv, capsys) and not (tmp_path / "out").exists()


def test_weights_of_the_other_stage_are_refused(runs, tmp_path, capsys):
    argv = ["upscale", "--weights", runs / "h2l", "--input", "faces:val", "--out", tmp_path / "out"]
    assert "stage h2l, expected l2h" in refused(argv, capsys)
    damaged, (state, metadata) = (
        tmp_path / "w.safetensors",
        read_weights(runs / "l2h" / "weights.safetensors"),
    )
    save_file(dict(list(state.items())[1:]), damaged, metadata)
    argv = ["upscale", "--weights", damaged, "--input", "faces:val", "--out", tmp_path / "out"]
    assert "do not fit this version" in refused(argv, capsys)
    damaged.write_bytes((runs / "l2h" / "weights.safetensors").read_bytes()[:-100])
    assert "cannot be read" in refused(argv, capsys) and not (tmp_path / "out").exists()


def test_prepare_makes_a_set_and_a_contact_sheet(tmp_path, capsys):
    for k in range(5):
        save_picture(tmp_path / "in" / f"{k}.png", 80, k)
    save_picture(tmp_path / "in" / "small.png", 30)
    argv = [
        "prepare",
        "folder",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "new" / "set.npz"),
        "--contact-sheet",
        str(tmp_path / "sheet.png"),
    ]
    assert cli.main(argv) == 0
    faces = hl.load_faces(tmp_path / "new" / "set.npz")
    assert faces.names == tuple(f"{k}.png" for k in range(5)) and faces.size == (64, 64)
    assert np.array_equal(faces.images, hl.load_faces(tmp_path / "in", 64, role="hi").images)
    assert pixels(tmp_path / "sheet.png").shape == (3, 2 + 3 * 66, 2 + 2 * 66)
    assert cli.main([*argv, "--size", "32"]) == 0
    assert hl.load_faces(tmp_path / "new" / "set.npz").size == (32, 32)
    shown = capsys.readouterr()
    assert "5 pictures of 64x64, 1 skipped" in shown.out and "small.png" in shown.err


def test_evaluate_matches_pairs_by_name(tmp_path, capsys):
    hi = hl.load_faces("faces:val:hi")[:4]
    hi.save(tmp_path / "real.npz")
    shuffled = hl.FaceSet(np.array(hi.images[::-1]) // 2, hi.names[::-1], "made")
    shuffled.save(tmp_path / "fake.npz")
    argv = [
        "evaluate",
        "--fake",
        str(tmp_path / "fake.npz"),
        "--real",
        str(tmp_path / "real.npz"),
        "--paired",
        "--metrics",
        "psnr",
        "--json",
        str(tmp_path / "scores.json"),
    ]
    assert cli.main(argv) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    error = ((hi.images / 255 - hi.images // 2 / 255) ** 2).mean((1, 2, 3))
    assert scores["psnr"]["value"] == pytest.approx((-10 * np.log10(error)).mean(), abs=0.01)
    assert f"{scores['psnr']['value']:.4g}" in capsys.readouterr().out
    hi[:3].save(tmp_path / "real.npz")
    before = contents(tmp_path)
    assert "no partner" in refused(argv, capsys) and contents(tmp_path) == before


def test_evaluate_takes_channel_border_lo_and_training_pictures(tmp_path, capsys):
    pairs = hl.load_faces("faces:val")
    hi, lo = pairs.hi[:4], pairs.lo[:4]
    fake = hl.FaceSet(np.array(hi.images) // 2, hi.names, "made")
    for name, faces in (("fake", fake), ("hi", hi), ("lo", lo[[3, 2, 1, 0]])):
        faces.save(tmp_path / f"{name}.npz")
    argv = [
        "evaluate",
        "--fake",
        str(tmp_path / "fake.npz"),
        "--real",
        str(tmp_path / "hi.npz"),
        "--paired",
        "--metrics",
        "psnr,consistency",
        "--channel",
        "y",
        "--border",
        "3",
        "--lo",
        str(tmp_path / "lo.npz"),
        "--json",
        str(tmp_path / "scores.json"),
    ]
    assert cli.main(argv) == 0
    stored = json.loads((tmp_path / "scores.json").read_text())
    want = hl.evaluate(fake, hi, True, ["psnr", "consistency"], channel="y", border=3, lo=lo)
    assert all(
        stored[name]["value"] == pytest.approx(score["value"]) for name, score in want.items()
    )
    assert "border 3 px" in capsys.readouterr().out
    pairs.lo[:3].save(tmp_path / "lo.npz")
    assert "lo needs pictures of the same names" in refused(argv, capsys)
    argv = [
        "evaluate",
        "--fake",
        "faces:val:hi",
        "--real",
        "faces:val:hi",
        "--metrics",
        "frechet_lite0_paper",
    ]
    assert "pass train=" in refused(argv, capsys)
    assert "faces:val:hi or faces:val:lo" in refused([*argv, "--train", "faces:val"], capsys)
    assert "channel" in refused([*argv, "--channel", "cb"], capsys)


def test_demo_writes_pictures_and_scores(runs, tmp_path, capsys, monkeypatch):
    pairs = hl.Pairs(*(side[:12] for side in hl.load_faces("faces:test")))
    monkeypatch.setattr("hlgan_lib.commands.pictures.load_faces", lambda source: pairs)
    argv = [
        "demo",
        "--out",
        str(tmp_path / "demo"),
        "--h2l",
        str(runs / "h2l"),
        "--l2h",
        str(runs / "l2h"),
    ]
    assert cli.main(argv) == 0
    shown = capsys.readouterr().out
    files = ["degradation.png", "restoration.png", "scores.json"]
    assert sorted(p.name for p in (tmp_path / "demo").glob("[!.]*")) == files and all(
        f in shown for f in files
    )
    assert shown.index("restoration.png") < shown.index("degradation.png"), "it opens with faces"
    scores = json.loads((tmp_path / "demo" / "scores.json").read_text())
    bicubic = torch.nn.functional.interpolate(pairs.lo.batch(), size=64, mode="bicubic").clamp(
        -1, 1
    )
    for way, x in {"bicubic": bicubic, "ours": hl.upscale(runs / "l2h", pairs.lo.batch())}.items():
        error = ((x - pairs.hi.batch()) / 2).square().mean((1, 2, 3))
        assert scores[way]["psnr"]["value"] == pytest.approx(
            (-10 * error.log10()).mean().item(), abs=0.01
        )
    assert f"{scores['ours']['psnr']['value']:.4g}" in shown


# ---- outputs -------------------------------------------------------------------------------------
def test_what_stood_there_is_written_over_only_when_told(runs, tmp_path, capsys):
    source, out = tmp_path / "poor", tmp_path / "sharp"
    for name in ("a.png", "b.png"):
        save_picture(source / name, 16)
    original = save_picture(out / "a.png", 64, seed=7)
    before = contents(tmp_path)
    argv = ["upscale", "--weights", runs / "l2h", "--input", source, "--out", out]
    assert "did not write it" in refused(argv, capsys) and contents(tmp_path) == before
    assert cli.main([*map(str, argv), "--overwrite"]) == 0
    assert cli.main([*map(str, argv)]) == 0  # its own outputs, again
    assert original.read_bytes() != before[original]
    # A smaller result names what is left of the larger one.
    (source / "b.png").unlink()
    capsys.readouterr()
    assert cli.main([*map(str, argv)]) == 0
    assert "1 files of an earlier run are still there: b.png\n" in capsys.readouterr().out


def test_inputs_that_are_links_into_out_stay(runs, tmp_path, capsys):
    original = save_picture(tmp_path / "out" / "a.png", 16)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").symlink_to(original)
    argv = ["upscale", "--weights", runs / "l2h", "--input", tmp_path / "in"]
    argv += ["--out", tmp_path / "out", "--overwrite"]
    before = contents(tmp_path)
    assert "is one of the inputs" in refused(argv, capsys) and contents(tmp_path) == before


def test_names_of_any_bytes_come_through(runs, tmp_path, capsys):
    names = [b"caf\xe9.png", "人.png".encode(), b"new\nline.png", b"x" * 251 + b".png"]
    source, out = tmp_path / "in", tmp_path / "out"
    for name in names:
        save_picture(source / os.fsdecode(name), 16)
    argv = ["upscale", "--weights", runs / "l2h", "--input", source, "--out", out, "--trust"]
    argv += ["--h2l", runs / "h2l"]
    assert cli.main([str(a) for a in argv]) == 0
    made = {os.fsencode(path.name) for path in out.glob("*.png")}
    assert made == set(names)
    table = (out / "trust.csv").read_text()
    assert r"caf\udce9.png" in table and r"new\nline.png" in table and len(table.splitlines()) == 5
    assert "Traceback" not in capsys.readouterr().err


def test_the_sheet_is_lr_bicubic_and_what_was_written(runs, tmp_path, capsys):
    out = tmp_path / "out"
    argv = ["upscale", "--weights", runs / "l2h", "--input", "faces:val", "--out", out, "--sheet"]
    argv = [str(a) for a in argv]
    assert cli.main(argv) == 0
    assert capsys.readouterr().out.endswith(f"wrote {out / 'hlgan-sheet.png'}\n")
    page = pixels(out / "hlgan-sheet.png")
    tile, margin = 96, 84
    assert page.shape == (3, 3 * (tile + 2), margin + 8 * (tile + 2))
    lo = hl.load_faces("faces:val:lo")
    last = margin + 7 * (tile + 2)  # the last column shows the last image
    at = [page[:, r * (tile + 2) :, last:][:, :tile:6, :tile:6] for r in range(3)]
    assert torch.equal(at[0], torch.from_numpy(lo.images[-1]))
    tall = pixels(out / lo.names[-1])
    rows = (torch.arange(0, tile, 6) * 64) // tile
    assert torch.equal(at[2], tall[:, rows][:, :, rows])
    bicubic = torch.nn.functional.interpolate(
        lo.batch()[-1:], size=64, mode="bicubic", align_corners=False
    )
    wanted = hl.data.to_uint8(bicubic.clamp(-1, 1))[0][:, rows][:, :, rows]
    assert (at[1].int() - wanted.int()).abs().max() <= 1
    assert cli.main(argv) == 0, "its own outputs, again"
    assert sorted(hl.load_faces(out).names) == sorted(lo.names), "the sheet is no picture of them"
    save_picture(tmp_path / "in" / "hlgan-sheet.bmp", 16)
    argv[argv.index("faces:val")] = str(tmp_path / "in")
    argv[argv.index(str(out))] = str(tmp_path / "other")
    assert "written as hlgan-sheet.png, as is the overview" in refused(argv, capsys)
    (tmp_path / "in" / "hlgan-sheet.bmp").rename(tmp_path / "in" / "one.bmp")
    assert cli.main([*argv, "--trust", "--h2l", str(runs / "h2l")]) == 0
    made = sorted(p.name for p in (tmp_path / "other").glob("[!.]*"))
    assert made == ["hlgan-sheet.png", "one.png", "trust.csv"]


def test_metrics_are_named_in_any_case_with_spaces(tmp_path):
    hl.load_faces("faces:val:hi")[:4].save(tmp_path / "set.npz")
    scores = tmp_path / "scores.json"
    argv = ["evaluate", "--fake", str(tmp_path / "set.npz"), "--real", str(tmp_path / "set.npz")]
    argv += ["--paired", "--metrics", "PSNR, ssim", "--json", str(scores)]
    assert cli.main(argv) == 0
    stored = json.loads(scores.read_text(), parse_constant=pytest.fail)
    assert stored["psnr"]["value"] is None and stored["ssim"]["value"] == pytest.approx(1)
    scores.write_text("mine")
    assert cli.main(argv) == 2 and scores.read_text() == "mine"


def test_outputs_do_not_lie_among_inputs(runs, tmp_path, capsys):
    for k in range(2):
        save_picture(tmp_path / "in" / f"{k}.png", 64, k)
    source = tmp_path / "in"
    for argv in (
        ["degrade", "--weights", runs / "h2l", "--input", source, "--out", source / "out"],
        ["card", "--weights", runs / "h2l", "--hi", source, "--lo", "faces:val", "--out", source],
        ["adapt", "--weights", runs / "h2l", "--lo", source, "--out", source / "run"],
        ["evaluate", "--fake", source, "--real", source, "--json", source / "scores.json"],
        ["train", "h2l", "--hi", source, "--out", source / "run", "--preset", "smoke"],
        ["train", "h2l", "--lo", source, "--out", source / "run", "--preset", "smoke"],
    ):
        before = contents(tmp_path)
        assert "lies in the folder of the inputs" in refused(argv, capsys)
        assert contents(tmp_path) == before


def test_adapt_writes_weights_in_either_case_and_says_what_it_did(runs, tmp_path, capsys):
    for k in range(20):
        save_picture(tmp_path / "lo" / f"{k}.png", 16, k)
    argv = ["adapt", "--weights", runs / "h2l", "--lo", tmp_path / "lo", "--hi", "faces:val"]
    argv = [str(a) for a in [*argv, "--steps", 1, "--out", tmp_path / "run"]]
    assert cli.main(argv) == 0
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "run" / "adaptation.json").read_text())
    assert report["verdict"] in said and "learned:" in said
    assert hl.degrade(tmp_path / "run", hl.load_faces("faces:val:hi").batch([0])).shape[1:] == (
        1,
        3,
        16,
        16,
    )
    (tmp_path / "run" / "adaptation.json").write_text("mine")
    assert "did not write it, or it was changed" in refused(argv, capsys)
    assert "--steps must be 1 or more" in refused([*argv, "--steps", 0], capsys)


def test_the_help_of_adapt_names_what_it_does():
    from hlgan_lib import adaptation
    from hlgan_lib.commands.basic import ADAPT_AT_LEAST, ADAPT_STEPS

    assert (ADAPT_AT_LEAST, ADAPT_STEPS) == (adaptation.AT_LEAST, adaptation.STEPS)
    assert adaptation.FOLDS + 1 == 4, "its help says four adaptations"


def test_the_cards_help_names_its_minimum(capsys):
    from hlgan_lib.analysis.card import AT_LEAST
    from hlgan_lib.commands.basic import CARD_AT_LEAST

    assert CARD_AT_LEAST == AT_LEAST
    assert cli.main(["card", "--help"]) == 0
    assert f"at least {AT_LEAST}" in " ".join(capsys.readouterr().out.split())


# ---- the faces of a photograph -------------------------------------------------------------------
@pytest.fixture
def group(tmp_path, monkeypatch):
    """A photograph of three people and a detector that knows where they are."""
    hi = hl.load_faces("faces:test:hi").images
    pixels = np.full((100, 300, 3), 90, np.uint8)
    boxes = []
    for k, (x, side) in enumerate(((10, 64), (100, 24), (200, 64))):
        face = Image.fromarray(hi[k].transpose(1, 2, 0)).resize((side, side))
        pixels[20 : 20 + side, x : x + side] = np.asarray(face)
        boxes.append((float(x), 20.0, float(side), float(side)))
    path = tmp_path / "party.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    monkeypatch.setattr(photograph, "find_boxes", lambda image: boxes)
    return path


def test_the_faces_of_a_photograph_are_restored_numbered_and_on_one_sheet(
    runs, group, tmp_path, capsys
):
    out = tmp_path / "out"
    argv = ["upscale", "--weights", runs / "l2h", "--faces", group, "--out", out]
    assert cli.main([str(a) for a in argv]) == 0
    said = capsys.readouterr().out
    names = ["party-1.png", "party-2.png", "party-3.png"]
    assert sorted(p.name for p in out.glob("*.png")) == [*names, "party-hlgan-sheet.png"]
    found = hl.find_faces(group)
    restored = hl.data.to_uint8(hl.upscale(runs / "l2h", found.faces.batch())).numpy()
    for name, image in zip(names, restored):
        assert np.array_equal(pixels(out / name).numpy(), image)
    assert "found 3 faces in" in said and "wrote 3 pictures" in said
    assert "2 of 3 are much larger than 16x16" in said and ": party-1.png, party-3.png" in said
    with Image.open(out / "party-hlgan-sheet.png") as sheet:
        assert sheet.height > 100 + 3 * 96 and sheet.width >= 300
    assert cli.main([str(a) for a in argv]) == 0, "the same command may write over its own files"


def test_the_faces_of_a_photograph_with_their_trust_by_the_shipped_weights(group, tmp_path):
    out = tmp_path / "out"
    argv = ["upscale", "--faces", group, "--out", out, "--trust"]
    assert cli.main([str(a) for a in argv]) == 0
    rows = (out / "trust.csv").read_text().splitlines()
    assert len(rows) == 4 and rows[1].startswith("party-1.png")


def test_a_photograph_that_gives_nothing_is_one_line(runs, group, tmp_path, monkeypatch, capsys):
    argv = ["upscale", "--weights", runs / "l2h", "--out", tmp_path / "out"]
    for more in ([], ["--faces", group, "--fit"], ["--faces", group, "--input", group]):
        said = refused([*argv, *more], capsys)
        assert "give LR images as --input, which --fit may crop, or one photograph" in said
    monkeypatch.setattr(photograph, "find_boxes", lambda image: [(0.0, 0.0, 9.0, 9.0)])
    said = refused([*argv, "--faces", group], capsys)
    assert "9x9 at 0, 0: box must be at least 16 pixels" in said
    monkeypatch.setattr(photograph, "find_boxes", lambda image: [])
    assert "no face found" in refused([*argv, "--faces", group], capsys)
    assert not (tmp_path / "out").exists()
