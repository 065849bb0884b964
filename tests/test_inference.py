"""Finding trained networks and using them."""

import hashlib
import json

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import inference
from hlgan_lib.checkpoint import save_weights
from hlgan_lib.degradations.handmade import pool
from hlgan_lib.inference import shipped_weights

CFG = hl.preset("smoke").replace(size_hi=32, size_lo=8, h2l_model="paper")


def pictures(n: int, size: int) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(n)) * 2 - 1


@pytest.fixture
def h2l():
    torch.manual_seed(0)
    return hl.HighToLow(CFG)


def test_degrade_gives_n_z_pictures_of_each_face(h2l):
    hi = pictures(3, 32)
    out = hl.degrade(h2l, hi, n_z=4, seed=1)
    assert out.shape == (3, 4, 3, 8, 8) and out.abs().max() <= 1 and not out.requires_grad
    assert torch.equal(out, hl.degrade(h2l, hi, n_z=4, seed=1))
    assert not torch.equal(out, hl.degrade(h2l, hi, n_z=4, seed=2))
    assert not torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(
        out[:, :1], hl.degrade(h2l, hi, seed=1)
    )  # the first of many is the one of one


def test_degrade_does_not_touch_the_global_stream(h2l):
    before = torch.random.get_rng_state()
    hl.degrade(h2l, pictures(1, 32))
    assert torch.equal(before, torch.random.get_rng_state())


def test_upscale_does_not_depend_on_the_batch():
    l2h = hl.LowToHigh(CFG.replace(norm="batch"))
    lo = pictures(67, 8)  # more than one part of 64
    out = hl.upscale(l2h, lo)
    assert out.shape == (67, 3, 32, 32)
    assert torch.allclose(out[:3], hl.upscale(l2h, lo[:3]), atol=1e-5)  # batch norm in eval mode


def test_weights_round_trip_through_a_file_and_a_run_folder(h2l, tmp_path):
    save_weights(tmp_path / "weights.safetensors", h2l.state_dict(), "h2l", CFG)
    hi = pictures(2, 32)
    want = hl.degrade(h2l, hi)
    for source in (
        tmp_path / "weights.safetensors",
        str(tmp_path / "weights.safetensors"),
        tmp_path,
    ):
        net = hl.load_weights(source, stage="h2l")
        assert (
            net.cfg == CFG
            and not net.training
            and not any(p.requires_grad for p in net.parameters())
        )
        assert torch.equal(hl.degrade(net, hi), want) and torch.equal(hl.degrade(source, hi), want)


def test_wrong_weights_are_named(h2l, tmp_path):
    with pytest.raises(hl.HLError, match="weights must be a run folder, .* got 'nowhere'"):
        hl.load_weights("nowhere")
    with pytest.raises(hl.HLError, match="the run is not finished"):
        hl.load_weights(tmp_path)
    path = tmp_path / "w.safetensors"
    save_weights(path, h2l.state_dict(), "h2l", CFG)
    with pytest.raises(hl.HLError, match="of stage h2l, expected l2h"):
        hl.upscale(path, pictures(1, 8))
    with pytest.raises(hl.HLError, match="network of stage l2h, got HighToLow"):
        hl.upscale(h2l, pictures(1, 8))
    save_weights(path, h2l.state_dict(), "h2h", CFG)
    with pytest.raises(hl.HLError, match="stage 'h2h', which this version does not know"):
        hl.load_weights(path)


def test_wrong_pictures_are_named(h2l):
    with pytest.raises(hl.HLError, match="hi must be .*did you pass lo"):
        hl.degrade(h2l, pictures(1, 8))
    with pytest.raises(
        hl.HLError, match=r"lo must be float \(B, 3, 8, 8\), got float32 \(1, 3, 32, 32\)"
    ):
        hl.upscale(hl.LowToHigh(CFG), pictures(1, 32))
    with pytest.raises(hl.HLError, match="n_z must be 1 or more, got 0"):
        hl.degrade(h2l, pictures(1, 32), n_z=0)


def test_a_damaged_shipped_file_is_refused(h2l, tmp_path, monkeypatch):
    path = tmp_path / "h2l.safetensors"
    save_weights(path, h2l.state_dict(), "h2l", CFG)
    (tmp_path / "hashes.json").write_text(
        json.dumps({"h2l": hashlib.sha256(path.read_bytes()).hexdigest()})
    )
    monkeypatch.setattr(inference, "SHIPPED", tmp_path)
    assert hl.load_weights("h2l").cfg == CFG
    inference.check_hash.cache_clear()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(
        hl.HLError, match="weights h2l: the file is damaged: install hlgan_lib again"
    ):
        hl.load_weights("h2l")


def test_every_shipped_file_has_its_hash():
    hashes = json.loads((inference.SHIPPED / "hashes.json").read_text())
    assert set(hashes) == set(shipped_weights())


@pytest.mark.parametrize("name", sorted(shipped_weights()))
def test_shipped_weights_load_and_run(name):
    net = hl.load_weights(name)
    stage = net.about["stage"]
    out = hl.degrade(net, pictures(1, 64)) if stage == "h2l" else hl.upscale(net, pictures(1, 16))
    assert out.isfinite().all() and out.std() > 0.01


def test_shots_of_each_degradation_repeat_by_seed():
    h2l = hl.HighToLow(hl.preset("smoke"))
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 3))
    for degradation in ("bilinear", "camera", h2l, lambda x, generator: pool(x)):
        los = inference.shots(degradation, hi, n=2, seed=4)
        assert los.shape == (2, 3, 3, 16, 16)
        assert torch.equal(los, inference.shots(degradation, hi, n=2, seed=4))
    assert not torch.equal(*inference.shots("camera", hi, n=2))
    assert torch.equal(*inference.shots("bilinear", hi, n=2))
    with pytest.raises(hl.HLError, match="degradation must be one of"):
        inference.shots("blurry", hi)


def test_a_name_that_is_shipped_and_here_is_refused(h2l, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hl.load_weights("h2l")
    (tmp_path / "h2l").mkdir()
    hl.load_weights("h2l")  # a folder of something else
    save_weights(tmp_path / "h2l" / "weights.safetensors", h2l.state_dict(), "h2l", h2l.cfg)
    with pytest.raises(hl.HLError, match=r"write ./h2l for it, or shipped:h2l$"):
        hl.load_weights("h2l")
    assert hl.load_weights("./h2l").cfg == h2l.cfg != hl.load_weights("shipped:h2l").cfg


@pytest.mark.parametrize("claim", [{"z_dim": 1_000_000_000}, {"size_lo": 4096, "size_hi": 8192}])
def test_what_no_file_holds_is_bounded_too(claim, tmp_path):
    cfg = hl.preset("smoke").replace(h2l_model="camera")
    state = inference.high_to_low(cfg).state_dict()
    save_weights(tmp_path / "w.safetensors", state, "h2l", cfg.replace(**claim))
    with pytest.raises(hl.HLError, match="do not fit this version's h2l network"):
        hl.load_weights(tmp_path / "w.safetensors")


def test_what_weights_claim_is_compared_before_memory_is_taken(h2l, tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    save_weights(path, h2l.state_dict(), "h2l", h2l.cfg.replace(h2l_width=2048))
    made, build = [], inference.BUILDERS["h2l"]

    def watched(cfg):
        net = build(cfg)
        made.append({p.device.type for p in net.parameters()})
        return net

    monkeypatch.setitem(inference.BUILDERS, "h2l", watched)
    with pytest.raises(hl.HLError, match="do not fit this version's h2l network"):
        hl.load_weights(path)
    assert made == [{"meta"}]


# ---- values --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda x: x * 255, "must lie in .-1, 1., got .*: clip it"),
        (lambda x: x.fill_(float("nan")), "must lie in .-1, 1., got nan to nan"),
    ],
)
def test_values_beyond_the_range_are_refused(made, why):
    hi, lo = made(torch.rand(2, 3, 64, 64)), made(torch.rand(2, 3, 16, 16))
    for call in (
        lambda: hl.degrade("h2l", hi),
        lambda: hl.upscale("l2h", lo),
        lambda: hl.inference.shots("bilinear", hi),
    ):
        with pytest.raises(hl.HLError, match=why):
            call()


def test_what_looks_like_zero_to_one_is_said():
    hi, lo = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 16, 16)
    for call in (
        lambda: hl.degrade("h2l", hi),
        lambda: hl.upscale("l2h", lo),
        lambda: hl.inference.shots("bilinear", hi),
    ):
        with pytest.warns(UserWarning, match="looks like .0, 1.: pass x . 2 - 1") as caught:
            call()
        assert caught[0].filename == __file__
    hl.inference.shots("bilinear", torch.zeros(1, 3, 64, 64))  # one flat picture may be so
