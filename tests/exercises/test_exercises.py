"""Every check of notebooks 01 to 03 against the reference and against its likely mistakes, each with its own hint."""

import statistics

import pytest
import torch
from torch.nn.functional import interpolate, mse_loss

import hlgan_lib as hl
from hlgan_lib import analysis, config, inference, notebook
from hlgan_lib.exercises import checks, nb01_data, nb02_h2l_gan, nb03_degradation
from hlgan_lib.loop import Loop
from hlgan_lib.tasks.two_stage import H2LTask

LO = hl.load_faces("faces:train-lo").batch(slice(0, None, 6))
PILES = {"brightness": "camera", "detail": "formula", "spread of detail": "camera"}
RUNS = {"A": "no pixel term", "B": "no discriminator", "C": "far too fast"}
SUSPECTS = {"A": "one setting", "B": "no blur", "C": "no colour"}
pool = hl.degradations.pool


def colour_of(los, dims):
    return analysis.over_shots(los)[1].mean(dims).square().mean().sqrt()


def update(n_d=None, g_inside=False, g_moves=True, leak=False, off_for_good=False, g_clear=True):
    """An update as a learner might write it, right but for what is asked for."""

    def step_g(task, opt):
        if g_clear:
            opt.zero_grad()
        task.g_loss(task.batch())[0].backward()
        if g_moves:
            opt.step()

    def mine(task, opt_d, opt_g, n):
        for _ in range(n_d or n):
            opt_d.zero_grad()
            task.d_loss(task.batch())[0].backward()
            opt_d.step()
            if g_inside:
                step_g(task, opt_g)
        task.discriminators.requires_grad_(leak)
        if not g_inside:
            step_g(task, opt_g)
        task.discriminators.requires_grad_(not off_for_good)

    return mine


# check -> the reference, and mistake -> what its hint must say
CASES = {
    nb01_data.check_piles: (
        nb01_data.measured_piles,
        [
            (PILES | {"brightness": "formula"}, "leaves the light"),
            (PILES | {"detail": "camera"}, "Which one wins"),
            (PILES | {"spread of detail": "formula"}, "shaken next"),
        ],
    ),
    nb01_data.check_finest_detail: (
        lambda: nb01_data.finest_detail,
        [
            (lambda x: x.diff(dim=3).std((1, 2, 3)).log10(), "slow slope"),
            (lambda x: x.diff(dim=2).std((1, 2, 3)).log10(), "slow slope"),
            (lambda x: x.diff(dim=2).diff(dim=3).std().log10(), "one number for all pictures"),
            (lambda x: x.diff(dim=2).diff(dim=3).std((1, 2, 3)), "logarithm"),
        ],
    ),
    nb01_data.check_same_picture: (
        nb01_data.same_picture,
        [
            (LO.mean(), "one colour"),
            (LO.mean((0, 2, 3)), "one colour"),
            (LO.median(dim=0).values, "median"),
            (
                hl.degradations.bilinear(hl.load_faces("faces:train-hi").batch(slice(0, 800))).mean(
                    0
                ),
                "sharp pile",
            ),
            (LO.mean(1), "its shape is (800, 16, 16), and (3, 16, 16)"),
        ],
    ),
    nb01_data.check_stages: (
        lambda: list(nb01_data.STAGES),
        [
            (["light", "lens", "sensor", "tone", "noise", "JPEG"], "after the tone curve"),
            (["light", "sensor", "lens", "noise", "tone", "JPEG"], "in front of the sensor"),
            (["light", "lens", "noise", "sensor", "tone", "JPEG"], "pixels of the sensor"),
            (["light", "lens", "sensor", "noise", "JPEG", "tone"], "written last"),
            (["lens", "light", "sensor", "noise", "tone", "JPEG"], "before anything else"),
            (["light", "lens"], "wanted once"),
            ("light, lens", "wanted once"),
            (3, "wanted once"),
        ],
    ),
    nb01_data.check_harmless: (
        lambda: nb01_data.HARMLESS,
        [
            ({"flip", "rotate"}, "between pixels"),
            ({"zoom"}, "between pixels"),
            ({"flip", "recolour"}, "another camera's"),
            (set(), "computes nothing"),
            ("flip", "a set of some"),
            ({"blur"}, "a set of some"),
        ],
    ),
    nb01_data.check_to_float: (
        lambda: hl.data.to_float,
        [
            (lambda x: x / 255, "from 0 to 1"),
            (lambda x: 2 * x / 255 - 1, "bytes wrap"),
            (lambda x: x / 128 - 1, "half of 255"),
            (lambda x: x.float() / 127 - 1, "half of 255"),
            (lambda x: x // 127 - 1, "whole numbers"),
            (lambda x: None, "whole numbers"),
        ],
    ),
    nb02_h2l_gan.check_hinge_d: (
        lambda: hl.losses.hinge_d,
        [
            (lambda r, f: (1 + r).relu().mean() + (1 - f).relu().mean(), "signs are swapped"),
            (lambda r, f: (1 - r).mean() + (1 + f).mean(), "bend at 0"),
            (lambda r, f: torch.cat([(1 - r).relu(), (1 + f).relu()]).mean(), "larger pile"),
            (
                lambda r, f: (1 - r.mean()).relu() + (1 + f.mean()).relu(),
                "bend is taken of the mean",
            ),
            (lambda r, f: (1 - r).relu().sum() + (1 + f).relu().sum(), "a sum grows"),
            (lambda r, f: None, "`return`"),
            (lambda r, f: (1 - r).relu(), "its shape is (4,)"),
        ],
    ),
    nb02_h2l_gan.check_by_hand: (
        lambda: (4 / 3, 1),
        [
            ((3.5, 1.0), "holds sums"),
            ((0.5, 1.0), "lost its bend"),
            ((3.5 / 5, 1.0), "all five"),
            ((1.333, -1.0), "wrong sign"),
            ((1.333, 0.5), "no bend"),
            (1.333, "its shape is ()"),
            ("1.3", "of type str"),
        ],
    ),
    nb02_h2l_gan.check_pixel_loss: (
        lambda: nb02_h2l_gan.pixel_loss,
        [
            (lambda lo_fake, b: mse_loss(interpolate(lo_fake, 64), b["hi"]), "compared at 64x64"),
            (
                lambda lo_fake, b: mse_loss(
                    interpolate(lo_fake, (64, 64), mode="bilinear"), b["hi"]
                ),
                "compared at 64x64",
            ),
            (lambda lo_fake, b: mse_loss(lo_fake, pool(b["hi"]), reduction="sum"), "a sum grows"),
            (lambda lo_fake, b: mse_loss(lo_fake, b["lo"]), "another* person"),
            (lambda lo_fake, b: (lo_fake - pool(b["hi"])).abs().mean(), "squares"),
        ],
    ),
    nb02_h2l_gan.check_one_update: (
        lambda: nb02_h2l_gan.one_update,
        [
            (update(g_inside=True), "once, after all"),
            (update(leak=True), "leaves gradients in D"),
            (update(off_for_good=True), "on again"),
            (update(g_moves=False), "never moves"),
            (update(g_clear=False), "clear them first"),
            (update(n_d=1), "D moved 2 times"),
        ],
    ),
    nb02_h2l_gan.check_broken_runs: (
        lambda: checks.letters(nb02_h2l_gan.BROKEN),
        [
            (RUNS | {"A": "no discriminator", "B": "no pixel term"}, "never comes down"),
            (RUNS | {"A": "far too fast", "C": "no pixel term"}, "never leap"),
            (RUNS | {"B": "far too fast", "C": "no discriminator"}, "no scores to draw"),
            (RUNS | {"C": "no pixel term"}, "Mind the scale"),
            (RUNS | {"C": "too fast"}, "none of the names"),
            ("no pixel term", "a dict with these keys"),
        ],
    ),
    nb03_degradation.check_colour_spread: (
        lambda: nb03_degradation.colour_spread,
        [
            (lambda los: analysis.over_shots(los)[1].square().mean().sqrt(), "this is the total"),
            (lambda los: analysis.diversity(los).detail, "this is the detail"),
            (lambda los: colour_of(los, (2, 3, 4)), "channels are mixed"),
            (lambda los: colour_of(los, 0), "over the draws"),
            (lambda los: colour_of(los, (3, 4)) ** 2, "take its root"),
        ],
    ),
    nb03_degradation.check_white_noise: (
        lambda: (0.0009, 0.0009),
        [
            ((0.03, 0.03), "the spread itself"),
            ((0.0036, 0.0036), "range of 2"),
            ((0.0018, 0.0001), "prefer no frequency"),
            (0.0009, "its shape is ()"),
            ("white", "of type str"),
        ],
    ),
    nb03_degradation.check_box_width: (
        nb03_degradation.box_width,
        [
            (1.25, "variance"),
            (2.0, "where the box ends"),
            (4, "where the box ends"),
            (4 / 12**0.5, "without pixels"),
            (statistics.stdev(range(4)), "divided by 3"),
        ],
    ),
    nb03_degradation.check_told_apart: (
        lambda: nb03_degradation.told_apart,
        [
            (lambda t: t.accuracy > 0.5, "ask the interval"),
            (lambda t: t.high > 0.5, "which end"),
            (lambda t: not t.low <= 0.5 <= t.high, "worse than guessing"),
            (lambda t: t.accuracy > 0.9, "the interval tells"),
        ],
    ),
    nb03_degradation.check_suspects: (
        lambda: checks.letters(nb03_degradation.FAULTS),
        [
            (SUSPECTS | {"A": "no blur", "B": "one setting"}, "*both* parts"),
            (SUSPECTS | {"A": "no colour", "C": "one setting"}, "hardly either"),
            (SUSPECTS | {"B": "no colour", "C": "no blur"}, "their sharpness"),
            (SUSPECTS | {"C": "no blur"}, "What does not?"),
        ],
    ),
}
checked = pytest.mark.parametrize("check", CASES, ids=lambda check: check.__name__)


@checked
def test_the_reference_passes(check):
    assert check(CASES[check][0]()) is None


@checked
def test_each_mistake_has_its_own_hint(check):
    hints = {}
    for mine, said in CASES[check][1]:
        hint = check(mine)
        assert isinstance(hint, str) and said in hint and hint.endswith((".", "?")), (
            f"{said!r} expected, got {hint!r}"
        )
        hints.setdefault(hint, set()).add(said)
    assert len(hints) >= 2 and all(len(said) == 1 for said in hints.values()), (
        "two mistakes share a hint"
    )


def test_every_check_is_tried():
    made = {
        f
        for module in (nb01_data, nb02_h2l_gan, nb03_degradation)
        for name, f in vars(module).items()
        if name.startswith("check_")
    }
    assert made == set(CASES)


@checked
def test_what_cannot_be_an_answer_never_stops_the_notebook(check, capsys):
    def endless(*_):
        return endless()

    for mine in (
        3.5,
        "no idea",
        [],
        {"A": 1},
        endless,
        lambda *_: None,
        lambda *_: "text",
        torch.zeros(2),
        Exception,
    ):
        assert notebook.attempt(mine, "reference", check) == "reference"
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 9 and all(line.startswith("Not yet: ") for line in said)


def test_where_no_mistake_fits_the_hint_says_what_differs():
    assert (
        checks.numbers(2.0, 1.0, ("halve it.", 3.0))
        == "it gives 2 where the reference gives another number."
    )
    assert checks.numbers([1.0, 2.0, 5.0], [1.0, 2.0, 3.0]).startswith("it gives 1, 2, ... where")
    assert checks.numbers(float("nan"), 1.0).startswith("it gives nan")
    assert checks.numbers(torch.ones(2, requires_grad=True), [1, 1]) is None
    with pytest.raises(KeyError):
        (
            checks.names({"a": "y", "b": "x"}, {"a": "x", "b": "y"}, {}),
            "a wrong name without a hint must not pass",
        )


def test_letters_give_nothing_away():
    for given in (nb02_h2l_gan.BROKEN, nb03_degradation.FAULTS):
        assert list(checks.letters(given).values()) not in (list(given), sorted(given)), (
            "in the order of the text"
        )
        assert checks.letters(given) == checks.letters(given[::-1])
    runs = dict.fromkeys(("healthy", *nb02_h2l_gan.BROKEN), 0) | {"no pixel term": 1}
    assert nb02_h2l_gan.unnamed(runs) == {"healthy": 0, "A": 1, "B": 0, "C": 0}


def test_one_update_is_the_loop_s_own():
    cfg = config.preset("smoke").replace(d_steps=3)
    faces = [hl.load_faces(f"faces:train-{side}")[:24] for side in ("hi", "lo")]
    loops = []
    for _ in range(2):
        torch.manual_seed(1)
        loops.append(
            Loop(
                cfg, H2LTask(cfg, *faces, torch.Generator().manual_seed(1), torch.device("cpu")), 2
            )
        )
    one, other = loops
    start = [p.clone() for p in one.task.generators.parameters()]
    one.update()
    other.set_lr()
    nb02_h2l_gan.one_update(other.task, other.opt_d, other.opt_g, cfg.d_steps)
    for a, b in zip(
        (*one.task.generators.parameters(), *one.task.discriminators.parameters()),
        (*other.task.generators.parameters(), *other.task.discriminators.parameters()),
        strict=True,
    ):
        assert torch.equal(a, b)
    assert not all(map(torch.equal, start, one.task.generators.parameters())), (
        "the generator has not moved"
    )


def test_each_suspect_lacks_its_one_thing():
    hi = hl.load_faces("faces:val:hi").batch(slice(0, 30))
    makers = nb03_degradation.suspects() | {"camera": "camera"}
    los = {name: inference.shots(make, hi, 6) for name, make in makers.items()}
    apart = {name: analysis.diversity(x) for name, x in los.items()}
    width = {name: analysis.blur_fit(hi, x[0]).width.mean() for name, x in los.items()}
    for letter, fault in checks.letters(nb03_degradation.FAULTS).items():
        assert (apart[letter].colour < 0.3 * apart["camera"].colour) == (
            fault in ("no colour", "one setting")
        )
        assert (apart[letter].detail < 0.6 * apart["camera"].detail) == (fault == "one setting")
        assert (width[letter] < width["camera"] - 0.4) == (fault == "no blur")
