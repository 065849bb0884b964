"""Scores of pairs: PSNR and SSIM on RGB or Y, LPIPS, and consistency."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from ..data.faces import unit_range
from ..degradations.handmade import bicubic, bilinear, pool
from ..errors import HLError

CHANNELS = ("rgb", "y")
REDUCTIONS: dict[str, Callable] = {"bilinear": bilinear, "bicubic": bicubic, "pool": pool}
WINDOW = 11  # pixels a side of the window of SSIM
EDGE = WINDOW // 2  # pixels whose window would reach outside the picture
CHANNEL_NAMES = {"rgb": "RGB", "y": "Y (BT.601, 16 to 235 of 255)"}


def luma(rgb: Tensor) -> Tensor:
    """Y of ITU-R BT.601 in studio range, as super-resolution papers measure it.

        Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255

    Black is 16/255, white 235/255. The scores keep the range 1 (255 levels) as the papers do, so
    that a grey error has 20 log10(255 / 219) = 1.3 dB more on Y than on RGB.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B, 1, H, W).
    """
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1) / 255
    return (rgb * weights).sum(1, keepdim=True) + 16 / 255


def psnr(fake: Tensor, real: Tensor, channel: str = "rgb", border: int = 0) -> Tensor:
    """Peak signal to noise ratio of each pair, 10 log10(1 / mean (fake - real)^2).

    Args:
        fake: (B, 3, H, W) in [0, 1].
        real: the ground truth of each, of the same shape.
        channel: rgb, the mean over all three, or y (see `luma`).
        border: pixels cut from every side first.

    Returns:
        (B,) in dB, infinite for equal pictures.

    Raises:
        HLError: for another channel, or a border that leaves nothing.
    """
    _check(fake, channel, border, 1, "psnr needs a pixel at least")
    fake, real = _compared(fake, channel, border), _compared(real, channel, border)
    return peak_signal_noise_ratio(fake, real, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(fake: Tensor, real: Tensor, channel: str = "rgb", border: int = 0) -> Tensor:
    """Structural similarity of each pair, Gaussian window of sigma 1.5, 1 for equal pictures.

        mean of (2 mu_x mu_y + c1)(2 s_xy + c2) / ((mu_x^2 + mu_y^2 + c1)(s_x^2 + s_y^2 + c2))

    over the windows that lie wholly inside, as in Wang et al. 2004 and scikit-image (torchmetrics
    1.9 takes mirrored ones in).

    Args:
        fake: (B, 3, H, W) in [0, 1], of at least 11x11 inside the border.
        real: the ground truth of each, of the same shape.
        channel: rgb or y, as of `psnr`.
        border: pixels cut from every side first.

    Returns:
        (B,).

    Raises:
        HLError: for another channel, or a border that leaves no window.
    """
    _check(fake, channel, border, WINDOW, "ssim needs pictures of at least 11x11, its window")
    fake, real = _compared(fake, channel, border), _compared(real, channel, border)
    _, at_each_pixel = structural_similarity_index_measure(
        fake, real, data_range=1.0, reduction="none", return_full_image=True
    )
    return at_each_pixel[..., EDGE:-EDGE, EDGE:-EDGE].mean((1, 2, 3))


def _check(fake: Tensor, channel: str, border: int, least: int, need: str) -> None:
    if channel not in CHANNELS:
        raise HLError(f"channel must be rgb or y, got {channel!r}")
    if border < 0 or min(fake.shape[-2:]) - 2 * border < least:
        raise HLError(
            f"{need}, got {tuple(fake.shape[-2:])} with a border of {border}: leave it out, or "
            "lower border"
        )


def _compared(x: Tensor, channel: str, border: int) -> Tensor:
    """What PSNR and SSIM compare: `border` pixels cut from every side, then RGB or Y."""
    x = x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]
    return luma(x) if channel == "y" else x


def consistency(
    fake: Tensor, lo: Tensor, reduce: str | Callable[[Tensor, int], Tensor] = "bilinear"
) -> Tensor:
    """How well a restored face explains its input: PSNR of reduce(fake) against lo.

    Nothing is said about the face: plain enlargement is consistent. Where the camera is unknown the
    ground truth itself does not explain the LR picture: its own score, not infinity, is what to
    come near. Source: ours, PULSE's downscaling loss (2003.03808) in dB.

    Args:
        fake: restored faces (B, 3, H, H) in [0, 1].
        lo: their inputs (B, 3, h, h) in [0, 1], in the same order.
        reduce: bilinear (antialiased), bicubic or pool (the paper's pixel loss), or a function
            (hi, size) -> lo on [-1, 1].

    Returns:
        (B,) in dB.

    Raises:
        HLError: for an unknown name and shapes that do not fit.
    """
    if isinstance(reduce, str) and reduce not in REDUCTIONS:
        raise HLError(f"reduce must be {', '.join(REDUCTIONS)} or a function, got {reduce!r}")
    down = REDUCTIONS[reduce] if isinstance(reduce, str) else reduce
    small = down(fake * 2 - 1, lo.shape[-1])
    if small.shape != lo.shape:
        raise HLError(
            f"reduce must give what lo is, {tuple(lo.shape)}, got {tuple(small.shape)}: pass one "
            "LR picture for each restored one, in the same order"
        )
    return psnr(unit_range(small.clamp(-1, 1)), lo)


def pair_score(
    name: str, channel: str, border: int, reduce: str | Callable, lpips: Callable | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """The function behind a metric's name.

    Args:
        name: of a metric of pairs.
        channel: "rgb" or "y".
        border: pixels left out at each edge.
        reduce: how images are brought to LR, for consistency.
        lpips: its network (`features.lpips_network`) where the name is lpips, else None.

    Returns:
        Two batches (B, 3, H, W) in [0, 1] -> scores (B,).
    """
    if lpips is not None:
        return lambda a, b: lpips(a, b, normalize=True).reshape(len(a))
    if name == "consistency":
        return lambda a, b: consistency(a, b, reduce)
    score = {"psnr": psnr, "ssim": ssim}[name]
    return lambda a, b: score(a, b, channel, border)


def describe(name: str, channel: str, border: int, reduce: str | Callable) -> str:
    """What a score of pairs was measured on, in words.

    Args:
        name: of a metric of pairs.
        channel: as in `pair_score`.
        border: as in `pair_score`.
        reduce: as in `pair_score`.

    Returns:
        The words.
    """
    if name == "lpips":
        return "LPIPS 0.1, AlexNet, RGB in [0, 1], whole picture"
    if name == "consistency":
        how = reduce if isinstance(reduce, str) else getattr(reduce, "__name__", "a function")
        return f"RGB in [0, 1], reduced by {how}, dB"
    unit = ", dB" if name == "psnr" else ""
    return f"{CHANNEL_NAMES[channel]} in [0, 1], border {border} px{unit}"
