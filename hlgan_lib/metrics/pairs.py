"""Scores of pairs: PSNR and SSIM on RGB or Y, LPIPS, and consistency: the restored face reduced again."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from ..degradations.handmade import bicubic, bilinear, pool
from ..errors import HLError

CHANNELS = ("rgb", "y")
REDUCTIONS: dict[str, Callable] = {"bilinear": bilinear, "bicubic": bicubic, "pool": pool}
WINDOW = 11  # pixels a side of the window of SSIM


def luma(rgb: Tensor) -> Tensor:
    """Y of ITU-R BT.601 in studio range, as super-resolution papers measure it: (B, 3, H, W) -> (B, 1, H, W).

    Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255, of [0, 1]: black is 16/255, white 235/255. The scores keep the
    range 1 (255 levels) as the papers do, so that a grey error has 20 log10(255 / 219) = 1.3 dB more on Y than on RGB.
    """
    weights = rgb.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1) / 255
    return (rgb * weights).sum(1, keepdim=True) + 16 / 255


def seen(x: Tensor, channel: str = "rgb", border: int = 0) -> Tensor:
    """What PSNR and SSIM look at: `border` pixels cut from every side, then RGB or Y."""
    x = x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]
    return luma(x) if channel == "y" else x


def psnr(fake: Tensor, real: Tensor, channel: str = "rgb", border: int = 0) -> Tensor:
    """Peak signal to noise ratio of each pair, 10 log10(1 / mean (fake - real)^2) dB: [0, 1] (B, 3, H, W) -> (B,).

    channel: rgb, the mean over all three, or y (see luma); border: pixels cut from every side first. HLError for
    another channel, or a border that leaves nothing.
    """
    fake, real = _looked_at(fake, real, channel, border, 1)
    return peak_signal_noise_ratio(fake, real, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(fake: Tensor, real: Tensor, channel: str = "rgb", border: int = 0) -> Tensor:
    """Structural similarity of each pair, Gaussian window of sigma 1.5: [0, 1] (B, 3, H, W) -> (B,), 1 for equal ones.

    mean of (2 mu_x mu_y + c1)(2 s_xy + c2) / ((mu_x^2 + mu_y^2 + c1)(s_x^2 + s_y^2 + c2)) over windows that lie wholly
    inside, as in Wang et al. 2004 and scikit-image (torchmetrics 1.9 takes mirrored ones in). channel, border: as psnr.
    """
    fake, real = _looked_at(fake, real, channel, border, WINDOW)
    _, full = structural_similarity_index_measure(
        fake, real, data_range=1.0, reduction="none", return_full_image=True
    )
    return full[..., 5:-5, 5:-5].mean((1, 2, 3))


def _looked_at(
    fake: Tensor, real: Tensor, channel: str, border: int, least: int
) -> tuple[Tensor, Tensor]:
    if channel not in CHANNELS:
        raise HLError(f"channel must be rgb or y, got {channel!r}")
    if border < 0 or min(fake.shape[-2:]) - 2 * border < least:
        what = (
            "ssim needs pictures of at least 11x11, its window"
            if least == WINDOW
            else "psnr needs a pixel at least"
        )
        raise HLError(
            f"{what}, got {tuple(fake.shape[-2:])} with a border of {border}: leave it out, or lower border"
        )
    return seen(fake, channel, border), seen(real, channel, border)


def consistency(
    fake: Tensor, lo: Tensor, reduce: str | Callable[[Tensor, int], Tensor] = "bilinear"
) -> Tensor:
    """How well a restored face explains its input: PSNR of reduce(fake) against lo, dB: [0, 1] -> (B,).

    fake (B, 3, H, H), lo (B, 3, h, h). reduce: bilinear (antialiased), bicubic or pool (the paper's pixel loss), or a
    function (hi, size) -> lo on [-1, 1]. Nothing is said about the face: plain enlargement is consistent. Where the
    camera is unknown the truth itself does not explain the shot: its own score, not infinity, is what to come near.
    HLError for an unknown name and shapes that do not fit. Source: ours, PULSE's downscaling loss (2003.03808) in dB.
    """
    if isinstance(reduce, str) and reduce not in REDUCTIONS:
        raise HLError(f"reduce must be {', '.join(REDUCTIONS)} or a function, got {reduce!r}")
    down = REDUCTIONS[reduce] if isinstance(reduce, str) else reduce
    small = down(fake * 2 - 1, lo.shape[-1])
    if small.shape != lo.shape:
        raise HLError(
            f"reduce must give what lo is, {tuple(lo.shape)}, got {tuple(small.shape)}: pass one poor "
            "picture for each restored one, in the same order"
        )
    return psnr((small.clamp(-1, 1) + 1) / 2, lo)


def pair_score(
    name: str, channel: str, border: int, reduce: str | Callable, lpips: Callable | None
) -> Callable:
    """The function of two batches in [0, 1] behind a metric's name, (B,) scores."""
    if name == "lpips":
        return lambda a, b: lpips(a, b, normalize=True).reshape(len(a))
    if name == "consistency":
        return lambda a, b: consistency(a, b, reduce)
    return lambda a, b: {"psnr": psnr, "ssim": ssim}[name](a, b, channel, border)


def says(name: str, channel: str, border: int, reduce: str | Callable) -> str:
    """What a score of pairs was measured on."""
    if name == "lpips":
        return "LPIPS 0.1, AlexNet, RGB in [0, 1], whole picture"
    if name == "consistency":
        how = reduce if isinstance(reduce, str) else getattr(reduce, "__name__", "a function")
        return f"RGB in [0, 1], reduced by {how}, dB"
    where = {"rgb": "RGB", "y": "Y (BT.601, 16 to 235 of 255)"}[channel]
    return f"{where} in [0, 1], border {border} px" + (", dB" if name == "psnr" else "")
