"""What `hlgan info` prints is what is installed and configured."""

import pytest
import torch

import hlgan_lib as hl
from hlgan_lib import cli, config, presets


def test_info_names_versions_presets_and_weights(capsys):
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out
    assert torch.__version__.split("+")[0] in shown
    assert all(name in shown for name in [*presets.PRESETS, *hl.shipped_weights()])


@pytest.mark.parametrize("name", presets.PRESETS)
def test_info_prints_exactly_the_differences_of_a_preset(name, capsys):
    assert cli.main(["info", "--preset", name]) == 0
    changed, fields = capsys.readouterr().out.split("\n\n")
    differing = presets.differences(hl.preset(name))
    assert [line.split() for line in changed.splitlines()[1:]] == [
        [field, str(own), "paper:", str(paper)] for field, (paper, own) in differing.items()
    ]
    for line, (field, spec) in zip(
        fields.splitlines()[1:], config.field_specs().items(), strict=True
    ):
        assert line.split()[:2] == [field, str(getattr(hl.preset(name), field))]
        assert spec.meaning in line and spec.source in line and spec.unit in line
