"""Every field of the configuration is a flag."""

import pytest

import hlgan_lib as hl
from hlgan_lib import cli, config


@pytest.mark.parametrize("stage", config.STAGES)
def test_every_field_is_a_flag_with_meaning_unit_and_the_presets_value(stage, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert cli.main(["train", stage, "--preset", "study", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, spec in config.field_specs().items():
        value = getattr(hl.preset("study"), name)
        assert f"--{name.replace('_', '-')} " in shown.replace(",", " ")
        assert f"{spec.meaning} [{spec.unit}; {spec.source}" in shown
        assert f"(default: {value})" in shown.split(f"{spec.meaning} [{spec.unit}; ")[1][:200], name
