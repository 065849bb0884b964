"""The checks of notebook 07.

Each passes the reference and gives every likely wrong repair a hint of its own.
"""

import torch
import torch.nn.functional as F

from hlgan_lib import losses, notebook
from hlgan_lib.degradations.handmade import bilinear, pool
from hlgan_lib.exercises import bugs, nb07_find_the_bug
from hlgan_lib.loop import Loop
from hlgan_lib.metrics.pairs import psnr
from hlgan_lib.metrics.protocols import stretch


# ---- wrong repairs -------------------------------------------------------------------------------
def update(
    clear=lambda loop, opt: opt.zero_grad(),
    freeze=None,
    thaw=True,
    late=False,
    only=(0, 1),
    loop=None,
):
    """An update of both networks with one thing done otherwise."""

    def mine(loop):
        halves = ((loop.task.g_loss, loop.opt_g), (loop.task.d_loss, loop.opt_d))
        for i in only:
            loss_of, opt = halves[i]
            if freeze and (thaw or opt is loop.opt_g):
                loop.task.discriminators.requires_grad_(opt is loop.opt_d)
            loss, _ = loss_of(loop.task.batch())
            if not late:
                clear(loop, opt)
            loss.backward()
            if late:
                clear(loop, opt)
            opt.step()

    return mine


def g_loss(pixel=losses.pixel_h2l, gan=True, no_grad=False):
    def mine(task, batch):
        with torch.set_grad_enabled(not no_grad):
            lo_fake = task.generators["h2l"](batch["hi"], batch["z"])
        value = (
            pixel(lo_fake, batch["hi"] if pixel is not unpaired else batch["lo"]) if pixel else 0.0
        )
        return (
            value + task.cfg.w_gan * losses.hinge_g(task.discriminators["d_lo"](lo_fake))
            if gan
            else value
        )

    return mine


def unpaired(lo_fake, lo):
    return F.mse_loss(lo_fake, lo)


def at_64(lo_fake, hi):
    return F.mse_loss(F.interpolate(lo_fake, 64, mode="bilinear"), hi)


def d_loss(real=lambda b: b["lo"], swapped=False, leaking=False, fake=None):
    def mine(task, batch):
        with torch.set_grad_enabled(leaking):
            made = fake(batch) if fake else task.generators["h2l"](batch["hi"], batch["z"])
        scores = [task.discriminators["d_lo"](x) for x in (real(batch), made)]
        return losses.hinge_d(*(scores[::-1] if swapped else scores))

    return mine


def score(train_mode=False, alone=False, back=True, always=False, keep=True):
    def mine(net, lo, hi):
        before, state = net.training, {k: v.clone() for k, v in net.state_dict().items()}
        net.train(train_mode)
        with torch.no_grad():
            made = torch.cat([net(x[None]) for x in lo]) if alone else net(lo)
        if keep:
            net.load_state_dict(state)
        if back:
            net.train(before or always)
        return psnr(bugs.unit(made), bugs.unit(hi))

    return mine


def looks_again(net, lo, hi):
    scores = bugs.score_to_trust(net, lo, hi)
    net(lo)  # to log the loss, say
    return scores


def load(key="net_g", strict=True):
    def mine(net, path):
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state[key] if key else state, strict=strict)
        return net

    return mine


def load_one(net, path):
    own = torch.load(path, weights_only=True)["net_g"]
    net.load_state_dict({k: v for k, v in own.items() if k.startswith("0")}, strict=False)
    return net


RIGHT = nb07_find_the_bug.SYMPTOMS


def swap(a, b):
    names = {**RIGHT}
    at = {v: k for k, v in names.items()}
    names[at[a]], names[at[b]] = b, a
    return names


def hint(fault):
    """A wrong answer that begins at the letter of `fault`."""
    order = sorted(RIGHT)
    at = next(k for k, v in RIGHT.items() if v == fault)
    other = order[(order.index(at) + 1) % len(order)]
    return swap(fault, RIGHT[other]) if other > at else None


REFERENCES = {
    "check_leaking_parts": nb07_find_the_bug.LEAKING,
    "check_update": Loop.update,
    "check_generator_loss": nb07_find_the_bug.loss_of_h2l,
    "check_discriminator_loss": nb07_find_the_bug.loss_of_d_low,
    "check_company": nb07_find_the_bug.MATTERING,
    "check_score": bugs.score_to_trust,
    "check_unseen": nb07_find_the_bug.UNSEEN,
    "check_unit": bugs.unit,
    "check_loaded_tensors": nb07_find_the_bug.LOADED,
    "check_load": bugs.load_strictly,
    "check_symptoms": RIGHT,
}
OTHER_RIGHT = {
    "check_update": [
        update(),
        update(clear=lambda loop, opt: (loop.opt_g.zero_grad(), loop.opt_d.zero_grad())),
        update(only=(1, 0)),
    ],
    "check_score": [score()],
}

MISTAKES = {
    "check_leaking_parts": [
        ({"H2L's GAN loss"}, "its own loss"),
        ({"D's own loss"}, "*through* D"),
        ({"D's own loss", "the pixel loss"}, "pixel loss knows nothing"),
        ({"D's own loss", "H2L's GAN loss", "the update before"}, "first two lines"),
        ("D's own loss", "a set of"),
        ({"all"}, "a set of"),
    ],
    "check_update": [
        (bugs.LeakyLoop.update, "left in D"),
        (update(clear=lambda loop, opt: loop.opt_g.zero_grad()), "left in D"),
        (
            update(clear=lambda loop, opt: opt is loop.opt_g and opt.zero_grad(), freeze=True),
            "who clears them",
        ),
        (
            update(clear=lambda loop, opt: opt is loop.opt_d and opt.zero_grad()),
            "H2L's gradients of the last",
        ),
        (update(freeze=True, thaw=False), "on again for D's"),
        (update(late=True), "between backward() and step()"),
        (update(only=(1,)), "twice each"),
    ],
    "check_generator_loss": [
        (g_loss(unpaired), "somebody else"),
        (g_loss(at_64), "64x64"),
        (g_loss(None), "holds the face in place"),
        (g_loss(gan=False), "GAN term is gone"),
        (g_loss(no_grad=True), "gradient to H2L is missing"),
        (
            g_loss(lambda lo_fake, hi: losses.pixel_h2l(lo_fake.detach(), hi)),
            "gradient to H2L is missing",
        ),
        (
            lambda task, batch: task.g_loss(batch)[0].item(),
            "a plain number",
        ),
    ],
    "check_discriminator_loss": [
        (lambda task, batch: bugs.HRAsReal.d_loss(task, batch)[0], "shown the HR faces"),
        (d_loss(lambda b: bilinear(b["hi"])), None),
        (d_loss(lambda b: b["hi"]), "pictures of 64x64"),
        (d_loss(swapped=True), "swapped"),
        (d_loss(fake=lambda b: pool(b["hi"])), "shown as *made*"),
        (d_loss(leaking=True), "back into H2L"),
        (lambda task, batch: task.d_loss(batch)[0].item(), "a plain number"),
        (lambda task, batch: task.d_loss(batch)[0].detach(), "teaches D nothing"),
    ],
    "check_company": [
        ({"other companions"}, "batch of one"),
        ({"no companions"}, "other pictures, another mean"),
        (
            {"other companions", "no companions", "companions in another order"},
            "do not ask for the order",
        ),
        ({"other companions", "no companions", "the same batch again"}, "running averages"),
        (4, "a set of"),
    ],
    "check_score": [
        (bugs.score_as_it_is, "no_grad()"),
        (score(train_mode=True, alone=True), "batch of one"),
        (score(back=False), "left in eval mode"),
        (looks_again, "changed the network"),
        (score(always=True), "remember how it came"),
    ],
    "check_unseen": [
        ({"darker"}, "half a range"),
        ({"faded"}, "one gain and one offset"),
        ({"faded", "darker", "blurred"}, "edges stay soft"),
        ({"faded", "darker", "reddish"}, "a cast stays"),
    ],
    "check_unit": [
        (lambda x: stretch(bugs.unit(x)), "on its own"),
        (lambda x: (x - x.min()) / (x.max() - x.min()), "whole batch"),
        (lambda x: x.clamp(0, 1), "black is -1"),
        (lambda x: (x + 1) / 2, "cut off, as a file"),
    ],
    "check_loaded_tensors": [(1, "*one* entry"), (40, "anything left"), ("all", "whole number")],
    "check_load": [
        (bugs.load_generator, "nothing was loaded"),
        (load("generator"), "under which key"),
        (load(None), "under which key"),
        (load(strict=False), "strict=False"),
        (load_one, "some of the weights"),
        (lambda net, path: None, "no network back"),
    ],
    "check_symptoms": [(wrong, None) for wrong in map(hint, bugs.FAULTS) if wrong],
}


def test_every_check_is_tried_with_its_reference_and_two_mistakes_or_more():
    checks = {name for name in vars(nb07_find_the_bug) if name.startswith("check_")}
    assert checks == set(REFERENCES) == set(MISTAKES)
    assert min(len(v) for v in MISTAKES.values()) >= 2


def test_the_references_pass():
    for name, right in REFERENCES.items():
        for mine in (right, *OTHER_RIGHT.get(name, [])):
            assert getattr(nb07_find_the_bug, name)(mine) is None, name


def test_each_mistake_gets_a_hint_of_its_own():
    for name, mistakes in MISTAKES.items():
        said = [getattr(nb07_find_the_bug, name)(mine) for mine, _ in mistakes]
        for hint, (_, part) in zip(said, mistakes, strict=True):
            assert isinstance(hint, str) and (part or "") in hint, f"{name}: {hint!r} for {part!r}"
        wanted = [part for _, part in mistakes if part]
        assert len({hint for hint, (_, part) in zip(said, mistakes) if part}) == len(set(wanted)), (
            name
        )
    assert len(
        {nb07_find_the_bug.check_symptoms(wrong) for wrong, _ in MISTAKES["check_symptoms"]}
    ) == len(MISTAKES["check_symptoms"])


def test_what_cannot_be_an_answer_never_stops_the_notebook(capsys):
    odd = (3.5, lambda *_: None, torch.zeros(2))
    for name in REFERENCES:
        for mine in odd:
            assert (
                notebook.attempt(mine, "reference", getattr(nb07_find_the_bug, name)) == "reference"
            ), name
    assert capsys.readouterr().out.count("Not yet: ") == len(odd) * len(REFERENCES)


def test_a_check_leaves_the_random_stream_and_the_learner_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    for name, right in REFERENCES.items():
        getattr(nb07_find_the_bug, name)(right)
    assert torch.equal(torch.rand(2), wanted)
