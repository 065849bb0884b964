"""What notebooks write in plain PyTorch is what the library trains: networks and losses."""

from pathlib import Path

import nbformat
import pytest
import torch
from torch.nn.functional import interpolate

import hlgan_lib as hl
from hlgan_lib.exercises import nb02_h2l_gan, nb04_l2h_gan
from hlgan_lib.tasks import H2LTask, L2HTask
from tests.helpers import CPU

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CFG = hl.preset("smoke").replace(h2l_model="paper", w_pix=2.0, w_gan=0.3)  # not the usual weights
GIVEN = {  # what exercises of the notebook define before
    "02_high_to_low_gan": {
        "hinge_d": hl.losses.hinge_d,
        "pixel_loss": nb02_h2l_gan.pixel_loss,
    },
    "04_low_to_high_gan": {
        "block": nb04_l2h_gan.residual_block,
        "pixel_loss": nb04_l2h_gan.pixel_loss,
        "interpolate": interpolate,
    },
}


def written_in(name):
    """What the cells tagged `plain` of a notebook define."""
    nb = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    space = {"hl": hl, "torch": torch, **GIVEN[name]}
    for cell in nb.cells:
        if "plain" in cell.metadata.get("tags", []):
            exec(compile(cell.source, cell.id, "exec"), space)
    return space


def task_of(name):
    """A small task, and the notebook's network and discriminator with weights of their own."""
    hi, lo = (hl.load_faces(f"faces:train-{side}")[:24] for side in ("hi", "lo"))
    plain, rng = written_in(name), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    if name.startswith("02"):
        task = H2LTask(CFG, hi, lo, rng, CPU)
        return task, plain, plain["PlainH2L"](CFG.h2l_width), plain["PlainD"](CFG.d_width)
    task = L2HTask(CFG, hi, lambda x, _: hl.degradations.bilinear(x), rng, CPU)
    d = hl.Discriminator(64, CFG.d_width)
    return task, plain, plain["PlainL2H"](CFG.l2h_width), d


def take_weights(plain, theirs):
    own = plain.state_dict()
    plain.load_state_dict(dict(zip(own, theirs.state_dict().values(), strict=True)))
    return plain.eval(), theirs.eval()


def gradient(loss, net):
    grads = torch.autograd.grad(loss, list(net.parameters()))
    return torch.cat([g.flatten() for g in grads])


@pytest.mark.parametrize("name", GIVEN)
def test_the_losses_and_gradients_are_the_task_s_own(name):
    task, plain, g, d = task_of(name)
    (their_g,), (their_d,) = task.generators.values(), task.discriminators.values()
    g, their_g = take_weights(g, their_g)
    d, their_d = take_weights(d, their_d)
    batch = task.batch()
    for net, their_net, mine, theirs in (
        (d, their_d, plain["plain_d_loss"](g, d, batch), task.d_loss(batch)[0]),
        (g, their_g, plain["plain_g_loss"](g, d, batch, 2.0, 0.3), task.g_loss(batch)[0]),
    ):
        torch.testing.assert_close(mine, theirs)
        torch.testing.assert_close(
            gradient(mine, net), gradient(theirs, their_net), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("name", GIVEN)
def test_the_weights_written_are_the_paper_s(name):
    alpha, beta = written_in(name)["plain_g_loss"].__defaults__
    assert (alpha, beta) == (hl.RunConfig().w_pix, hl.RunConfig().w_gan)


def test_the_plotted_terms_are_all_that_is_trained():
    task, plain, h2l, d = task_of("02_high_to_low_gan")
    take_weights(h2l, task.generators["h2l"])
    take_weights(d, task.discriminators["d_lo"])
    batch = task.batch()
    loss, logs = task.g_loss(batch)
    terms = plain["plain_terms"](h2l, d, batch)
    assert terms.keys() == logs.keys() - {"fake_spread"}
    torch.testing.assert_close(CFG.w_pix * terms["pix"] + CFG.w_gan * terms["gan"], loss)
