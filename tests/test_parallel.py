"""Several processes train one network: the step of one process, a clear end when one is killed."""

import json
import os
import socket
import subprocess
import sys
from functools import partialmethod
from pathlib import Path

import pytest
import torch
from torch import nn

from hlgan_lib import parallel
from hlgan_lib.cli import main
from hlgan_lib.errors import HLError
from hlgan_lib.loop import Loop
from hlgan_lib.tasks.two_stage import L2HTask
from tests.helpers import TINY, bilinear, loop_of

ROOT = Path(__file__).parents[1]
CASES = {
    "h2l": TINY.replace(norm="batch", w_r1=1.0, batch=8),
    "l2h": TINY.replace(batch=8, d_steps=2),
}
N_UPDATES = 5
SMOKE = "train l2h --degradation bilinear --preset smoke --device cpu --norm batch".split()
SMOKE += "--batch 4 --save-images 8 --l2h-width 4 --d-width 4 --out".split()


def given_batches(stage, loop, first, last):
    """Let the loop train on rows first:last of batches of 8 that are always the same.

    Some gradients are nothing but rounding: of a bias in front of batch norm, and of one that the
    two halves of the hinge loss cancel. Adam makes whole steps of them: the first kind is held, for
    the second its eps lies above rounding.
    """
    for module in loop.task.generators.modules():
        if loop.cfg.norm == "batch" and isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.requires_grad_(False)
    for opt in (loop.opt_g, loop.opt_d):
        for group in opt.param_groups:
            group["eps"] = 1e-3
    rng = torch.Generator().manual_seed(7)

    def batch():
        hi = torch.rand(8, 3, 32, 32, generator=rng) * 2 - 1
        drawn = {"hi": hi, "lo": torch.rand(8, 3, 8, 8, generator=rng) * 2 - 1}
        drawn["z"] = torch.randn(8, TINY.z_dim, generator=rng)
        if stage == "l2h":
            drawn["lo_fake"] = bilinear(hi, None)
        return {k: v[first:last] for k, v in drawn.items()}

    vars(loop.task)["batch"] = batch


def one_of_two(out: Path) -> None:
    """What each of the two processes does."""
    rank = int(os.environ["RANK"])
    L2HTask.validate = lambda task, nets: 1.0  # the features are not what is tested
    with parallel.together("cpu"):
        for stage, cfg in CASES.items():
            loop = loop_of(stage, cfg.replace(batch=parallel.share_of(cfg.batch)), bilinear)
            given_batches(stage, loop, 4 * rank, 4 * rank + 4)
            for _ in range(N_UPDATES):
                loop.update()
            state = {"nets": loop.nets.state_dict(), "d": loop.task.discriminators.state_dict()}
            torch.save(state | {"means": loop.means()}, out / f"{stage}-{rank}.pt")
        assert parallel.any_of(rank == 1) and not parallel.any_of(False)
        assert parallel.on_first(lambda: f"of {rank}") == "of 0"

    # The command line: a run to its end; then one in which the second is killed within update 5.
    Loop.reestimate_batch_norm = partialmethod(Loop.reestimate_batch_norm, n_batches=2)
    assert main([*SMOKE, str(out / "whole"), "--l2h-steps", "2"]) == 0
    update = Loop.update

    def killed(loop):
        if rank == 1 and loop.step == 4:
            os.kill(os.getpid(), 9)
        update(loop)

    Loop.update = killed
    sys.exit(main([*SMOKE, str(out / "killed")]))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder that two processes wrote into, and what they said and ended with."""
    out = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code = f"from tests.test_parallel import *; one_of_two(Path({str(out)!r}))"
    started = []
    for rank in range(2):
        env = os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=env, cwd=ROOT, **pipes))
    try:
        said = [process.communicate(timeout=900) for process in started]
    finally:
        for process in started:
            process.kill(), process.wait()
            process.stdout.close(), process.stderr.close()
    return out, said, [process.returncode for process in started]


@pytest.mark.slow
@pytest.mark.parametrize("stage", CASES)
def test_two_processes_take_the_steps_of_one(two, stage):
    out, said, _ = two
    assert (out / f"{stage}-1.pt").is_file(), said
    first, second = (torch.load(out / f"{stage}-{rank}.pt") for rank in range(2))
    loop = loop_of(stage, CASES[stage], bilinear)
    given_batches(stage, loop, 0, 8)
    start = {k: v.clone() for k, v in loop.nets.state_dict().items()}
    for _ in range(N_UPDATES):
        loop.update()
    for kind, nets in {"nets": loop.nets, "d": loop.task.discriminators}.items():
        for name, want in nets.state_dict().items():
            assert torch.equal(first[kind][name], second[kind][name])
            assert torch.allclose(first[kind][name], want, rtol=1e-5, atol=5e-6), name
    assert any(
        not torch.allclose(v, start[k], atol=2e-4) for k, v in loop.nets.state_dict().items()
    )
    means = loop.means()
    assert first["means"] == second["means"]
    for name in means.keys() - {"real_spread", "fake_spread"}:  # of half a batch each
        assert first["means"][name] == pytest.approx(means[name], rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_the_first_process_speaks_and_writes_for_both(two):
    out, said, _ = two
    folder = out / "whole"
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [entry["images"] for entry in log] == [4, 8]  # of both processes
    assert json.loads((folder / "config.json").read_text())["config"]["batch"] == 4
    assert json.loads((folder / "scores.json").read_text())["images"] == 8
    assert said[0][0].count("finished: weights") == 1 and said[1][0] == ""


@pytest.mark.slow
def test_where_one_is_killed_the_other_says_so_and_another_number_goes_on(two, capsys):
    out, said, codes = two
    assert codes == [2, -9]
    last = said[0][1].strip().splitlines()[-1]
    assert "another process of this training ended" in last and "--resume" in last
    assert main([*SMOKE, str(out / "killed"), "--resume"]) == 0  # one process alone
    log = [json.loads(line) for line in (out / "killed" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert "finished: weights" in capsys.readouterr().out


# ---- in one process ------------------------------------------------------------------------------
def test_alone_nothing_acts():
    with parallel.together("cpu") as device:
        assert (device, parallel.size(), parallel.rank()) == ("cpu", 1, 0)
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    parallel.share_batch_norm(net)
    assert type(net[1]) is nn.BatchNorm2d
    x = torch.ones(2)
    assert parallel.mean(x) is x and parallel.share_of(5) == 5 and parallel.own_seed(3) == 3
    assert parallel.any_of(True) and not parallel.any_of(False)
    assert parallel.on_first(lambda: "here") == "here"


@pytest.mark.parametrize(("batch", "hint"), [(9, 8), (2, 4), (3, 4)])
def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch, batch, hint):
    monkeypatch.setattr(parallel, "size", lambda: 2)
    assert parallel.share_of(8) == 4
    with pytest.raises(HLError, match=f"multiple of the 2 processes.*got {batch}: try {hint}$"):
        parallel.share_of(batch)


def test_each_process_draws_its_own(monkeypatch):
    seeds = set()
    for rank in range(4):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        seeds |= {parallel.own_seed(seed) for seed in range(100)}
    assert len(seeds) == 400


@pytest.mark.parametrize("momentum", [0.1, None])
def test_shared_batch_norm_of_one_process_is_pytorch_s(momentum):
    torch.manual_seed(0)
    ours, theirs = (
        parallel.SharedBatchNorm(3, momentum=momentum),
        nn.BatchNorm2d(3, momentum=momentum),
    )
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 1.7), nn.init.constant_(norm.bias, -0.3)
    for _ in range(2):
        x = 2 + 3 * torch.randn(4, 3, 5, 5)
        inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
        a, b = ours(inputs[0]), theirs(inputs[1])
        assert torch.allclose(a, b, atol=1e-5)
        (a**3).sum().backward(), (b**3).sum().backward()
        assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-3)
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-4)
    for name, want in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], want, atol=1e-5), name
    assert torch.equal(ours.eval()(x), theirs.eval()(x)) or torch.allclose(ours(x), theirs(x))
