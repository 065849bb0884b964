"""The configuration: every field explained and sourced, wrong values refused in one line."""

import dataclasses
import json

import pytest

from hlgan_lib.config import (
    PRESETS,
    SOURCES,
    STAGES,
    RunConfig,
    differences,
    field_specs,
    from_dict,
    gone,
    preset,
)
from hlgan_lib.errors import HLError

FIELDS = [f.name for f in dataclasses.fields(RunConfig)]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_meaning_unit_and_source(name):
    spec = field_specs()[name]
    assert len(spec.meaning) > 10 and spec.unit and spec.source in SOURCES
    assert (
        spec.meaning in spec.documentation
        and spec.unit in spec.documentation
        and spec.source in spec.documentation
    )


@pytest.mark.parametrize("name", FIELDS)
def test_every_number_has_bounds_and_every_reader_is_a_stage(name):
    spec, default = field_specs()[name], getattr(RunConfig(), name)
    is_number = isinstance(default, (int, float)) and not isinstance(default, bool)
    assert (spec.low is not None) == (is_number and name != "seed")
    assert spec.readers is None or set(spec.readers) < set(STAGES)
    if name.endswith("_steps") and name != "d_steps":
        assert spec.readers == (name.removesuffix("_steps"),)


@pytest.mark.parametrize("name", [k for k, s in field_specs().items() if s.low is not None])
def test_what_is_just_outside_its_bounds_is_refused_and_what_is_on_them_is_not(name):
    spec = field_specs()[name]
    spec.check(name, spec.low)
    with pytest.raises(HLError, match=f"{name} must be .*{spec.meaning[:10]}"):
        spec.check(name, spec.low - 1)
    with pytest.raises(HLError, match=f"{name} must be"):
        spec.check(name, spec.below)


def test_paper_preset_is_the_paper():
    cfg = preset("paper")
    assert (cfg.w_pix, cfg.w_gan, cfg.lr, cfg.beta1, cfg.beta2) == (1, 0.05, 1e-4, 0, 0.9)
    assert (cfg.d_steps, cfg.batch, cfg.z_dim, cfg.joint_steps) == (5, 64, 64, 2_000)
    assert cfg.h2l_steps == cfg.l2h_steps == round(182_866 / 64 * 200)
    assert (cfg.size_hi, cfg.size_lo, cfg.z_input) == (64, 16, "concat")
    assert (cfg.h2l_model, cfg.jpeg, cfg.ema, cfg.w_r1, cfg.amp) == ("paper", "none", 0, 0, "off")
    assert not (cfg.d_aug or cfg.skip or cfg.has_jpeg)
    assert cfg == RunConfig(channels_last=True) and differences(cfg) == {}


@pytest.mark.parametrize("name", ["smoke", "quick", "study", "colab", "paper", "modern"])
def test_a_preset_is_the_paper_and_its_differences(name):
    cfg = preset(name)
    assert cfg is PRESETS[name]
    base = preset("paper")
    assert base.replace(**{k: own for k, (_, own) in differences(cfg).items()}) == cfg
    assert all(base != own for base, own in differences(cfg).values())


def test_modern_improves_and_keeps_the_architecture_of_the_paper():
    changed = set(differences(preset("modern")))
    assert {"ema", "d_aug", "w_r1", "h2l_model", "d_steps", "lr_d"} <= changed
    assert not changed & {
        "size_hi",
        "size_lo",
        "h2l_width",
        "l2h_width",
        "d_width",
        "norm",
        "skip",
        "batch",
        "w_gan",
    }


def test_unknown_preset():
    with pytest.raises(HLError, match="preset must be one of smoke, .*got 'papr'"):
        preset("papr")


WRONG = [
    ("size_hi", 48),
    ("size_lo", 64),
    ("size_lo", 4),
    ("batch", 1),
    ("batch", 0),
    ("d_steps", 0),
    ("z_dim", 0),
    ("h2l_width", 0),
    ("l2h_steps", 0),
    ("tick_images", 0),
    ("lr", -1e-4),
    ("lr", float("nan")),
    ("w_gan", float("inf")),
    ("beta2", 1.0),
    ("scale", 1.5),
    ("z_input", "film"),
    ("h2l_model", "photo"),
    ("norm", "layer"),
    ("order", "mid"),
    ("down", "stride"),
    ("d_pool", "min"),
    ("lr_schedule", "step"),
    ("amp", "fp8"),
    ("n_val", -1),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{k}={v}" for k, v in WRONG])
def test_wrong_values_are_refused_in_one_line(name, value):
    with pytest.raises(HLError, match=name) as error:
        RunConfig().replace(**{name: value})
    assert "must be" in str(error.value) or "must join" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_loss_at_all_is_refused():
    with pytest.raises(HLError, match="w_pix and w_gan are both 0"):
        RunConfig(w_pix=0, w_gan=0)
    assert RunConfig(w_gan=0).w_pix == 1


def test_frozen_and_through_json():
    cfg = preset("study")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cfg.lr = 1
    assert from_dict(json.loads(json.dumps(cfg.as_dict()))) == cfg
    with pytest.raises(HLError, match="unknown fields .'beta3'"):
        from_dict(cfg.as_dict() | {"beta3": 1})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_uses_the_faster_layout(name):
    assert preset(name).channels_last


def test_what_an_earlier_version_stored():
    older = preset("study").as_dict() | {"w_z": 0.008, "w_coarse": 1.0, "d_opponent": True}
    assert from_dict(older) == preset("study"), "a camera's network is known without them"
    assert gone(older, "h2l") == ["w_z", "w_coarse", "d_opponent"] and gone(older, "l2h") == []
    assert gone(older | {"w_z": 0.0, "w_coarse": 0.0, "d_opponent": False}, "h2l") == []
    film = older | {"h2l_model": "paper", "z_input": "grain+shot"}
    assert from_dict(film, "l2h").z_input == "concat"
    with pytest.raises(HLError, match=r"z_input 'grain\+shot', which this version no longer has"):
        from_dict(film, "h2l")


def test_the_papers_h2l_is_one_flag_away():
    """Of the small presets: no anchor, no JPEG, nothing but the two terms of the paper."""
    cfg = preset("study").replace(h2l_model="paper")
    assert preset("study").is_camera and not cfg.is_camera and not cfg.has_jpeg
