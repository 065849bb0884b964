"""`hlgan bench`: every number of a stage is there and follows from the times measured."""

import json

import pytest

from hlgan_lib.bench import speed
from hlgan_lib.cli import main
from hlgan_lib.presets import preset
from tests.helpers import CPU, TINY, loop_of

SMOKE = preset("smoke").replace(n_hi=20, n_lo=20)


@pytest.fixture
def times(monkeypatch):
    """The works that are timed, once run, and made-up times for them."""
    ran = {}

    def pretend(works, seconds, device):
        for work in works.values():
            work()
        ran.update(works)
        return dict(zip(works, (0.6, 0.2, 0.9, 0.3, 1e-3, 1e-3), strict=True))

    monkeypatch.setattr(speed, "in_turns", pretend)
    return ran


def test_ratios_rates_and_shares_follow_from_the_times(times, monkeypatch):
    monkeypatch.setattr(speed, "N_PROFILED", 1)
    found = speed.bench_stage(SMOKE, "h2l", CPU, 1.0, n_pictures=8, n_workers=0)
    assert list(times)[:4] == ["plain step", "our step", "plain loop", "our loop"]
    assert found.step_ratio == pytest.approx(3) and found.loop_ratio == pytest.approx(3)
    assert found.images_per_s == pytest.approx(4 / 0.3)
    rate = found.gflop / 0.2
    assert found.share_of_ceiling == pytest.approx(rate / found.gflops_convolution)
    assert found.gflops_convolution == pytest.approx(2 * 8 * 32**2 * 64**2 * 9 / 1e6)
    assert sum(found.time.values()) == pytest.approx(1) and "others" in found.time
    assert any("convolution" in name for name in found.time)
    assert found.amp == "off" and found.peak_mib > 50


def test_flops_of_an_update_grow_with_its_batch():
    cfg = TINY.replace(w_gan=0.0)
    one, two = (speed.flops_of(loop_of("h2l", cfg.replace(batch=n))) for n in (4, 8))
    assert 1.8 < two / one < 2.2  # what depends on the weights alone does not double


def test_a_tick_is_paid_for_when_it_is_due(monkeypatch):
    loop = loop_of("h2l", TINY.replace(tick_images=8))
    ticks = []
    monkeypatch.setattr(loop, "diagnostics", lambda: ticks.append(loop.step))
    work = speed.ticking(loop)
    for _ in range(5):
        work()
    assert ticks == [2, 4]


def test_the_command_writes_bench_json_and_a_table(tmp_path, times, monkeypatch, capsys):
    monkeypatch.setattr(speed, "N_PICTURES", 8)
    monkeypatch.setattr(speed, "N_PROFILED", 1)
    monkeypatch.setattr(speed, "_n_cores", lambda: 1)
    assert (
        main(
            "bench --preset smoke --stage l2h --batch 2 --seconds 1 --device cpu --out".split()
            + [str(tmp_path)]
        )
        == 0
    )
    stored = json.loads((tmp_path / "bench.json").read_text())
    assert stored["preset"] == "smoke" and stored["device"] == "cpu" and stored["batch"] == 2
    kept = stored["stages"]["l2h"]
    assert kept.keys() >= {"step_ratio", "loop_ratio", "images_per_s", "share_of_ceiling"}
    said = capsys.readouterr().out
    assert "loop, plain / ours" in said and "images/s" in said and "convolution" in said
