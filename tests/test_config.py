"""The configuration: every field explained and sourced, wrong values refused in one line."""

import dataclasses
import json

import pytest

from hlgan_lib.config import STAGES, RunConfig, field_specs, from_dict, gone
from hlgan_lib.errors import HLError
from hlgan_lib.presets import preset
from hlgan_lib.spec import SOURCES

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
    assert (spec.low is not None) == is_number
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
    ("batch", "64"),
    ("batch", 8.5),
    ("lr", None),
    ("skip", "no"),
    ("seed", "first"),
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
    with pytest.raises(HLError, match="w_pix must be above 0 with l2h_model wavelet, got 0"):
        RunConfig(w_pix=0, l2h_model="wavelet")


def test_frozen_and_through_json():
    cfg = preset("study")
    with pytest.raises(dataclasses.FrozenInstanceError):
        cfg.lr = 1
    assert from_dict(json.loads(json.dumps(cfg.as_dict()))) == cfg
    with pytest.raises(HLError, match="unknown fields .'beta3'"):
        from_dict(cfg.as_dict() | {"beta3": 1})


def test_what_an_earlier_version_stored():
    older = preset("study").as_dict() | {"w_z": 0.008, "w_coarse": 1.0, "d_opponent": True}
    assert from_dict(older) == preset("study"), "a camera's network is known without them"
    assert gone(older, "h2l") == ["w_z", "w_coarse", "d_opponent"] and gone(older, "l2h") == []
    assert gone(older | {"w_z": 0.0, "w_coarse": 0.0, "d_opponent": False}, "h2l") == []
    film = older | {"h2l_model": "paper", "z_input": "grain+shot"}
    assert from_dict(film, "l2h").z_input == "concat"
    with pytest.raises(HLError, match=r"z_input 'grain\+shot', which this version no longer has"):
        from_dict(film, "h2l")
