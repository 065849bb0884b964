"""The presets: each is the paper and its differences."""

import pytest

from hlgan_lib.config import RunConfig
from hlgan_lib.errors import HLError
from hlgan_lib.presets import PRESETS, differences, preset


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


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_uses_the_faster_layout(name):
    assert preset(name).channels_last


def test_the_papers_h2l_is_one_flag_away():
    """Of the small presets: no anchor, no JPEG, nothing but the two terms of the paper."""
    cfg = preset("study").replace(h2l_model="paper")
    assert preset("study").is_camera and not cfg.is_camera and not cfg.has_jpeg
