"""Each loss next to its equation.

The paper: loss = alpha pixel + beta GAN with alpha = 1, beta = 0.05 (`w_pix` and `w_gan` of
RunConfig).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .data.faces import unit_range
from .degradations.optics import light_in_stops


# ---- GAN losses ----------------------------------------------------------------------------------
def hinge_d(score_real: Tensor, score_fake: Tensor) -> Tensor:
    """The discriminator's hinge loss: L_D = E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))].

    Args:
        score_real: D(real), (B,), any range.
        score_fake: D(fake), (B,), any range.

    Returns:
        A scalar, 0 or more.

    Source: paper, after SN-GAN (1802.05957).

    >>> hinge_d(torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0]))
    tensor(0.7500)
    """
    return F.relu(1 - score_real).mean() + F.relu(1 + score_fake).mean()


def hinge_g(score_fake: Tensor) -> Tensor:
    """The generator's hinge loss: L_G = -E[D(fake)].

    Args:
        score_fake: D(fake), (B,), any range.

    Returns:
        A scalar of any sign.

    Source: paper.

    >>> hinge_g(torch.tensor([1.0, -3.0]))
    tensor(1.)
    """
    return -score_fake.mean()


def log_d(score_real: Tensor, score_fake: Tensor) -> Tensor:
    """SRGAN's: L_D = -E[log s(D(real))] - E[log(1 - s(D(fake)))], s the sigmoid.

    Args:
        score_real: D(real), (B,), any range.
        score_fake: D(fake), (B,), any range.

    Returns:
        A scalar, 0 or more.

    Source: 1609.04802.
    """
    return F.softplus(-score_real).mean() + F.softplus(score_fake).mean()


def log_g(score_fake: Tensor) -> Tensor:
    """SRGAN's: L_G = -E[log s(D(fake))], s the sigmoid; (B,) -> a scalar. Source: 1609.04802."""
    return F.softplus(-score_fake).mean()


def square_d(score_real: Tensor, score_fake: Tensor) -> Tensor:
    """CycleGAN's: L_D = (E[(D(real) - 1)^2] + E[D(fake)^2]) / 2, halved as there.

    Args:
        score_real: D(real), (B,), any range.
        score_fake: D(fake), (B,), any range.

    Returns:
        A scalar, 0 or more.

    Source: 1703.10593.
    """
    return ((score_real - 1).square().mean() + score_fake.square().mean()) / 2


def square_g(score_fake: Tensor) -> Tensor:
    """CycleGAN's: L_G = E[(D(fake) - 1)^2]; (B,) -> a scalar. Source: 1703.10593."""
    return (score_fake - 1).square().mean()


def relativistic_d(score_real: Tensor, score_fake: Tensor) -> Tensor:
    """Is the real image more real than the generated one beside it?

    L_D = -E[log s(D(real) - D(fake))], s the sigmoid: pairs are compared, no score has a meaning
    alone.

    Args:
        score_real: D(real), (B,), any range.
        score_fake: D(fake), (B,), any range; the i-th is compared with the i-th real one.

    Returns:
        A scalar, 0 or more; log 2 where D guesses.

    Source: RpGAN, 1807.00734; with R1 and R2 the loss of R3GAN, 2501.05441, equation 1.

    >>> relativistic_d(torch.tensor([5.0, 1.0]), torch.tensor([5.0, 1.0]))
    tensor(0.6931)
    """
    return F.softplus(score_fake - score_real).mean()


def relativistic_g(score_fake: Tensor, score_real: Tensor) -> Tensor:
    """The generator's side: L_G = -E[log s(D(fake) - D(real))]; twice (B,) -> a scalar.

    So a generator is not asked to score high, only as high as the real image that it stands beside.
    Source: as `relativistic_d`.
    """
    return F.softplus(score_real - score_fake).mean()


class GAN(NamedTuple):
    """The two sides of a GAN loss.

    Attributes:
        d: (score_real, score_fake) -> what the discriminator minimises, a scalar.
        g: (score_fake) -> what the generator minimises, a scalar; of a relativistic one
            (score_fake, score_real).
        relativistic: does the generator's loss look at real images too?
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[..., Tensor]
    relativistic: bool = False


HINGE = GAN(hinge_d, hinge_g)
LOG = GAN(log_d, log_g)
SQUARE = GAN(square_d, square_g)
RELATIVISTIC = GAN(relativistic_d, relativistic_g, relativistic=True)
GANS = {"hinge": HINGE, "relativistic": RELATIVISTIC}  # by the name in `RunConfig.gan_loss`


# ---- losses of images ----------------------------------------------------------------------------
def pixel_h2l(lo_fake: Tensor, hi: Tensor) -> Tensor:
    """H2L's pixel loss: || H2L(hi, z) - pool(hi) ||^2 / N, pool averaging down to the size of lo.

    Args:
        lo_fake: H2L(hi, z), (B, 3, s, s) in [-1, 1].
        hi: (B, 3, S, S) in [-1, 1].

    Returns:
        A scalar in [0, 4].

    Source: paper, equation 2.
    """
    height, width = lo_fake.shape[-2:]
    return F.mse_loss(lo_fake, F.adaptive_avg_pool2d(hi, (height, width)))


def low_frequencies(x: Tensor, side: int = 5) -> Tensor:
    """The mean of the square of pixels around each pixel; what it takes from x are the high ones.

    Args:
        x: (B, 3, s, s).
        side: of the square, odd, pixels; what lies beyond the border is not counted.

    Returns:
        The shape of x.

    Source: DSGAN, 1911.07850, section 3.2.
    """
    return F.avg_pool2d(x, side, stride=1, padding=side // 2, count_include_pad=False)


def colour_h2l(lo_fake: Tensor, hi: Tensor) -> Tensor:
    """DSGAN's colour loss: E | low(H2L(hi, z)) - low(pool(hi)) |, low as `low_frequencies`.

    Args:
        lo_fake: H2L(hi, z), (B, 3, s, s) in [-1, 1].
        hi: (B, 3, S, S) in [-1, 1].

    Returns:
        A scalar in [0, 2].

    Source: 1911.07850, equation 2.
    """
    height, width = lo_fake.shape[-2:]
    pooled = F.adaptive_avg_pool2d(hi, (height, width))
    return F.l1_loss(low_frequencies(lo_fake), low_frequencies(pooled))


def pixel_l2h(hi_fake: Tensor, hi: Tensor) -> Tensor:
    """L2H's pixel loss: || L2H(lo) - hi ||^2 / N.

    Args:
        hi_fake: L2H(lo), (B, 3, S, S) in [-1, 1].
        hi: the ground truth, of the same shape and range.

    Returns:
        A scalar in [0, 4].

    Source: paper.
    """
    return F.mse_loss(hi_fake, hi)


def perceptual(maps: Callable[[Tensor], Tensor], hi_fake: Tensor, hi: Tensor) -> Tensor:
    """SRGAN's content loss, relative: E || f(hi_fake) - f(hi) ||^2 / E || f(hi) ||^2.

    Args:
        maps: f, a network's feature maps: (B, 3, S, S) in [0, 1] -> (B, C, h, w).
        hi_fake: (B, 3, S, S) in [-1, 1].
        hi: the ground truth, of the same shape and range.

    Returns:
        A scalar, 0 or more.

    Source: 1609.04802, equation 5, which scales the features by a constant; relative, a weight
    means the same with any network.
    """
    with torch.no_grad():
        wanted = maps(unit_range(hi))
    return F.mse_loss(maps(unit_range(hi_fake)), wanted) / wanted.square().mean()


# ---- wavelets ------------------------------------------------------------------------------------
def wavelet_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Wavelet-SRNet's loss of wavelet packets, per number of an image.

    0.01 low frequencies + 0.99 all others + 0.1 image, squared errors summed over an image, and 2
    texture: the mean of max(1.2 c^2 - c'^2, 0) over the other bands, c^2 summed over colours.

    Args:
        made: c', (B, n, 3, s, s), the low frequencies first (`networks.wavelet.to_wavelets`).
        wanted: c, of the same shape.

    Returns:
        A scalar, 0 or more.

    Source: the released code of Huang et al., ICCV 2017. As packets keep sums of squares, the error
    of the image is that of all bands.
    """
    error = (made - wanted).square().mean(0)  # (n, 3, s, s)
    low, high = error[0].sum(), error[1:].sum()
    energies = [c[:, 1:].square().sum(2) for c in (made, wanted)]
    texture = F.relu(1.2 * energies[1] - energies[0]).mean()
    total = (0.01 + 0.1) * low + (0.99 + 0.1) * high + 2 * texture
    return total / wanted[0].numel()


# ---- flow matching -------------------------------------------------------------------------------
def flow_matching(
    velocity: Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    hi: Tensor,
    t: Tensor,
    unit: Tensor | float = 1.0,
) -> Tensor:
    """A straight path from noise to a face, and the speed along it.

    x_t = (1 - t) noise + t hi,  L = || (v(x_t, t) - (hi - noise)) / unit ||^2 / N

    Args:
        velocity: v, (x_t (B, 3, S, S), t (B,)) -> (B, 3, S, S).
        noise: (B, 3, S, S) of N(0, 1).
        hi: where the path ends, of the same shape: faces, or what they are told by.
        t: (B,) in [0, 1].
        unit: in which the error is measured, broadcast to (B, 3, S, S).

    Returns:
        A scalar, 0 or more.

    Source: 2210.02747 with straight paths, 2209.03003; the unit is ours.
    """
    at = t[:, None, None, None]
    x = (1 - at) * noise + at * hi
    return ((velocity(x, t) - (hi - noise)) / unit).square().mean()


# ---- what steadies a discriminator ---------------------------------------------------------------
def r1(d: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """The R1 penalty on real images: 1/2 E || grad_x D(x) ||^2. On generated ones it is R2.

    Args:
        d: D, images -> scores (B,).
        real: x, (B, 3, S, S).

    Returns:
        A scalar, 0 or more, whose gradient reaches D's weights.

    Source: 1801.04406; both at once, 2501.05441.
    """
    real = real.detach().float().requires_grad_()
    # In float32: a square of gradients does not bear the rounding of half precision.
    with torch.autocast(real.device.type, enabled=False):
        (grad,) = torch.autograd.grad(d(real).sum(), real, create_graph=True)
    return grad.square().sum((1, 2, 3)).mean() / 2


def diff_augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """DiffAugment's translation and cutout, which gradients pass.

    Shifts by up to an eighth of the side (filled with 0) and blanks a square of half the side. The
    colour policy is left out: D_lo must see colour.

    Args:
        x: (B, 3, S, S).
        generator: draws shifts and squares, on the device of x.

    Returns:
        The same shape.

    Source: 2006.10738.
    """
    b, _, s, _ = x.shape
    reach, hole = s // 8, s // 2

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (b, 1), generator=generator, device=x.device)

    # Translation: read from a padded image at shifted rows and columns.
    at = torch.arange(s, device=x.device)[None]
    rows, cols = at + draw(0, 2 * reach + 1), at + draw(0, 2 * reach + 1)
    padded = F.pad(x, [reach] * 4)
    image = torch.arange(b, device=x.device)[:, None, None]
    x = padded[image, :, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2)

    # Cutout: a square that may hang over the border.
    top, left = draw(-hole // 2, s - hole // 2), draw(-hole // 2, s - hole // 2)
    in_rows = (at >= top) & (at < top + hole)
    in_cols = (at >= left) & (at < left + hole)
    in_hole = in_rows[:, :, None] & in_cols[:, None, :]
    return x * ~in_hole[:, None]


# ---- statistics of LR images ---------------------------------------------------------------------
def picture_statistics(x: Tensor) -> Tensor:
    """What can be said of LR pictures without their HR originals: 20 numbers each.

    - the mean light in stops, its warmth and its tint (3), and five quantiles of brightness (5);
    - log standard deviation of brightness and of two colour differences: over the picture (3), in
      detail of one pixel (3), of two (3);
    - log ratio of differences across to down, and along one diagonal to the other, which a drag
      makes unequal (2);
    - log size of the smaller half of the mixed second differences: noise, where the picture is
      smooth (1).

    Args:
        x: (B, 3, s, s) in [-1, 1], s a multiple of 4.

    Returns:
        (B, 20), differentiable.

    Source: ours.
    """
    v = (x + 1) / 2
    light = light_in_stops(x)

    red, green, blue = v.unbind(1)
    opponents = [(red + green + blue) / 3, (red - blue) / 2, (2 * green - red - blue) / 4]
    planes = torch.stack(opponents, 1)
    y = planes[:, 0]
    ordered = y.flatten(1).sort(1).values
    n = ordered.shape[1]
    at = (n // 20, n // 4, n // 2, 3 * n // 4, n - 1 - n // 20)
    tones = torch.stack([ordered[:, i] for i in at], 1)  # a list as index would be copied over

    half = F.avg_pool2d(planes, 2)
    quarter = F.avg_pool2d(planes, 4)
    of_one = planes - F.interpolate(half, size=planes.shape[-1], mode="bilinear")
    of_two = half - F.interpolate(quarter, size=half.shape[-1], mode="bilinear")
    contrast = planes.flatten(2).std(2).add(1e-3).log()
    detail_1 = of_one.square().mean((2, 3)).add(1e-5).sqrt().log()
    detail_2 = of_two.square().mean((2, 3)).add(1e-5).sqrt().log()

    across = _log_power(y[..., 1:] - y[..., :-1])
    down = _log_power(y[:, 1:] - y[:, :-1])
    falling = _log_power(y[:, 1:, 1:] - y[:, :-1, :-1])
    rising = _log_power(y[:, 1:, :-1] - y[:, :-1, 1:])
    mixed = y[:, 1:, 1:] - y[:, 1:, :-1] - y[:, :-1, 1:] + y[:, :-1, :-1]
    sizes = mixed.abs().flatten(1).sort(1).values
    quiet = sizes[:, : sizes.shape[1] // 2].mean(1).add(2e-3).log()
    rest = torch.stack([across - down, falling - rising, quiet], 1)
    return torch.cat([light, tones, contrast, detail_1, detail_2, rest], 1)


def _log_power(d: Tensor) -> Tensor:
    """log of the mean square over a picture, finite for flat ones."""
    return d.square().mean((1, 2)).add(1e-5).log()


def energy_distance(a: Tensor, b: Tensor, w_each: float = 0.5) -> Tensor:
    """How far the law of `a` lies from that of `b`, up to a number that does not depend on `a`.

    2 E|a - b| - E|a - a'|, of the vectors; and w_each times the sum of the same over each of
    their numbers alone. Its mean is least where the laws agree. Unlike a discriminator it cannot
    saturate.

    Args:
        a: (n, k), n at least 2.
        b: (m, k).
        w_each: weight of the k one-dimensional distances.

    Returns:
        A scalar; an unbiased estimate over pairs.

    Source: Szekely and Rizzo, Energy statistics, 2013; the use here is ours.

    >>> a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0]])
    >>> round(energy_distance(a, b, w_each=0).item(), 2)
    6.0
    """
    n = len(a)
    own = a[:, None] - a
    other = a[:, None] - b
    pairs = n * (n - 1)
    joint = 2 * _length(other).mean() - _length(own).sum() / pairs
    each = 2 * other.abs().mean((0, 1)) - own.abs().sum((0, 1)) / pairs
    return joint + w_each * each.sum()


def energy_scores(a: Tensor, b: Tensor, w_each: float = 0.5) -> Tensor:
    """The energy distance, picture by picture: how badly the law of `a` foretells each of `b`.

    A proper score: its mean over pictures, which is `energy_distance(a, b)`, is least in
    expectation where `a` is of their law.

    Args:
        a: (n, k), n at least 2, of the law.
        b: (m, k), the pictures.
        w_each: as in `energy_distance`.

    Returns:
        (m,).

    Source: Gneiting and Raftery, Strictly proper scoring rules, 2007, section 4.3.

    >>> a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    >>> energy_scores(a, b, w_each=0).round().abs()
    tensor([0., 6.])
    """
    other = a[:, None] - b
    to_b = 2 * _length(other).mean(0) + w_each * 2 * other.abs().mean(0).sum(1)
    return to_b - to_b.mean() + energy_distance(a, b, w_each)


def _length(d: Tensor) -> Tensor:
    """Length along the last dimension, with a finite gradient at 0."""
    return d.square().sum(-1).add(1e-8).sqrt()
