"""The learned camera: z chooses the numbers of a small differentiable camera; their law is learned.

A network that draws an LR picture can invent anything, a face's own colour included. A camera
cannot: it knows light, blur, noise, tone and JPEG. So little is left to learn (65 numbers) that
some thousand pictures and a minute are enough, and what was learned can be read off and held
against the ground truth.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import RunConfig
from ..degradations.jpeg import RoundThrough
from ..degradations.optics import own_kernels, srgb_decode, srgb_encode, tone
from ..errors import HLError
from .adaptive_law import AdaptiveLaw
from .blocks import PAPER, check_side, check_z
from .measured_jpeg import MeasuredJPEG
from .paper import HighToLow


class Law(NamedTuple):
    """Where one number of the camera starts.

    Attributes:
        mean: over pictures, before the link.
        spread: standard deviation over pictures, before the link.
        link: what makes a number of the camera of it: "identity", "exp" or "softplus".
        meaning: what the number is, and its unit.
    """

    mean: float
    spread: float
    link: str
    meaning: str


# In physical order: lens, light, sensor, tone, resizing. The starts are round numbers, chosen
# before any score was known and from no camera.
LAWS = {
    "defocus": Law(
        0.5, 0.5, "softplus", "Gaussian blur, standard deviation, pixels of a 64x64 face"
    ),
    "motion": Law(0.0, 2.0, "softplus", "length of a straight drag, pixels of a 64x64 face"),
    "exposure": Law(0.0, 0.2, "identity", "stops of light"),
    "warmth": Law(0.0, 0.1, "identity", "stops of red over, and of blue under"),
    "tint": Law(0.0, 0.05, "identity", "stops of green"),
    "shot": Law(math.log(0.004), 1.0, "exp", "variance of shot noise a unit of light"),
    "read": Law(math.log(0.01), 1.0, "exp", "standard deviation of read noise, full scale 1"),
    "gamma": Law(0.0, 0.05, "exp", "exponent after the sRGB curve"),
    "contrast": Law(0.0, 0.05, "exp", "slope at mid grey of the tone curve"),
    "smear": Law(0.0, 0.1, "identity", "share a pixel takes of its neighbours; below 0 sharpens"),
}
LINKS = {"identity": lambda x: x, "exp": torch.exp, "softplus": F.softplus}
OF_A_DOMAIN = {  # what each domain has of its own
    "mean",
    "factor",
    "jpeg.quality",
    "jpeg.subsampled",
    "adaptive.mean_slope",
    "adaptive.spread_slope",
}
N_JPEG = 4  # the last numbers of z choose the JPEG


class LearnedCamera(nn.Module):
    """(hi, z) -> lo: H2L as a camera whose numbers z chooses; the same call as `HighToLow`.

    x = mean + L z, one number for each of LAWS, L lower triangular: any joint normal law;
    light = decode(hi) * kernel(x), integrated to the pixels of lo, times the gains 2^exposure, ...;
    photo = light + sqrt(shot light + read^2) n;
    value = contrast(encode(photo)^gamma), smeared;
    lo = JPEG(value), rounded to 8 bits.

    Learned are `mean` and L. The noise n comes of z too (random Fourier features,
    Rahimi and Recht 2007), so that the same z gives the same picture. The qualities of the JPEG
    are measured (`MeasuredJPEG.set`). Clipping and rounding let gradients through: a blown-out
    picture must still learn to be darker.

    With `h2l_law` "adaptive" the law depends on the scene, `AdaptiveLaw`:
    x = mean + W s(hi) + exp(V s(hi)) L z, s statistics of hi.

    With several `domains` the physics is shared, and each has a `mean`, an L and a JPEG of its own.
    A call that names no domain draws one by a number of z, each as likely: the mixture.

    Args:
        cfg: reads `size_hi`, `size_lo`, `z_dim`, `domains`, `h2l_law`, and `z_input`: with "none"
            the law has no spread, and each picture differs by its noise and JPEG alone.

    Raises:
        HLError: for a z too short to hold the numbers, and at a call for a wrong shape.

    Source: ours. The same learning rate as a network's is meant to fit, so the learned numbers are
    held small and enter RATE times as large (equalised learning rate, 1710.10196).
    """

    RATE = 20.0
    FREQUENCY = 40.0  # radians; the standard deviation of a z in the noise's features
    HALF = 9  # half of the largest blur kernel, pixels of a 64x64 face

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__()
        n, k = len(LAWS), cfg.domains
        needed = n + 1 + N_JPEG + (k > 1)
        if cfg.z_dim < needed:
            raise HLError(
                f"z_dim must be {needed} or more with h2l_model camera, a number for each of its "
                f"laws, got {cfg.z_dim}"
            )
        self.cfg = cfg
        self.takes_z = cfg.z_input == "concat"
        each = (k,) if k > 1 else ()
        self.mean = nn.Parameter(torch.zeros(*each, n))
        self.factor = nn.Parameter((torch.eye(n) / self.RATE).repeat(*each, 1, 1))
        start = torch.tensor([law.mean for law in LAWS.values()])
        spread = torch.tensor([law.spread for law in LAWS.values()])
        self.start = nn.Buffer(start, persistent=False)
        self.spread = nn.Buffer(spread, persistent=False)
        seeded = torch.Generator().manual_seed(cfg.size_lo)
        waves = torch.randn(cfg.z_dim, 12 * cfg.size_lo**2, generator=seeded)
        waves = self.FREQUENCY * waves / math.sqrt(cfg.z_dim)
        self.waves = nn.Buffer(waves, persistent=False)
        self.jpeg = MeasuredJPEG(k)
        self.adaptive = AdaptiveLaw(n, k) if cfg.h2l_law == "adaptive" else None

    def domain_of(self, z: Tensor) -> Tensor | None:
        """The domain that z chooses, (B,) of 0..domains-1; None where there is but one."""
        k = self.cfg.domains
        if k == 1:
            return None
        u = torch.special.ndtr(z[:, len(LAWS) + 1].float())
        return (u * k).long().clamp(max=k - 1)

    def of_domain(self, domain: int) -> LearnedCamera:
        """The camera of one domain alone, as a network of its own.

        Args:
            domain: 0..domains-1, in the order of the domains' names.

        Returns:
            A copy in eval mode, its gradients off.
        """
        alone = type(self)(self.cfg.replace(domains=1)).to(self.mean.device)
        state = self.state_dict()
        for name in OF_A_DOMAIN & state.keys():
            state[name] = state[name][domain]
        alone.load_state_dict(state)
        return alone.eval().requires_grad_(False)

    def numbers(
        self, z: Tensor, domain: Tensor | None = None, hi: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The camera that z chooses.

        Args:
            z: (B, z_dim) of N(0, 1).
            domain: (B,), of which domain; by default what z chooses.
            hi: (B, 3, S, S) in [-1, 1], the scenes that an adaptive law looks at; by default it
                takes each for an average one.

        Returns:
            name -> (B,) for each of LAWS, in its unit, and "angle", the direction of the drag in
            radians, which is uniform and not learned.
        """
        n = len(LAWS)
        z = z.float()
        domain = self.domain_of(z) if domain is None else domain
        mean, factor = self.RATE * self.mean, self.RATE * self.factor.tril()
        x = (mean if domain is None else mean[domain]).expand(len(z), n)
        shift, wider = self._of_scene(hi, domain)
        x = x + shift
        if self.takes_z and domain is None:
            x = x + wider * (z[:, :n] @ factor.T)
        elif self.takes_z:
            x = x + wider * (factor[domain] @ z[:, :n, None]).squeeze(2)
        x = self.start + self.spread * x
        chosen = {}
        for (name, law), column in zip(LAWS.items(), x.unbind(1), strict=True):
            chosen[name] = LINKS[law.link](column)
        chosen["angle"] = torch.pi * torch.special.ndtr(z[:, n])
        return chosen

    def _of_scene(
        self, hi: Tensor | None, domain: Tensor | None
    ) -> tuple[Tensor | float, Tensor | float]:
        """What the scenes add to the mean of x, and by what they multiply its spread."""
        if self.adaptive is None or hi is None:
            return 0.0, 1.0
        shift, wider = self.adaptive(self.adaptive.scene(hi), domain)
        return self.RATE * shift, wider

    def forward(self, hi: Tensor, z: Tensor, domain: Tensor | None = None) -> Tensor:
        """Photograph each picture with the camera that its z chooses.

        Args:
            hi: (B, 3, S, S) in [-1, 1].
            z: (B, z_dim) of N(0, 1).
            domain: (B,), of which domain each camera is; by default what z chooses.

        Returns:
            lo: (B, 3, s, s) in [-1, 1], float32 whatever autocast says.
        """
        check_side("hi", hi, self.cfg)
        check_z(z, len(hi), self.cfg)
        domain = self.domain_of(z) if domain is None else domain
        with torch.autocast(hi.device.type, enabled=False):
            photo = self._photograph(hi.float(), z.float(), domain)
        photo = photo + self.residual(hi, z)
        lo = self.jpeg(2 * ClipThrough.apply(photo) - 1, z, domain)
        return RoundThrough.apply((lo + 1) * 127.5) / 127.5 - 1

    def residual(self, hi: Tensor, z: Tensor) -> Tensor | float:
        """What is added before the JPEG: nothing."""
        return 0.0

    def _photograph(self, hi: Tensor, z: Tensor, domain: Tensor | None) -> Tensor:
        chosen = self.numbers(z, domain, hi)
        p = {name: value[:, None, None, None] for name, value in chosen.items()}
        light = srgb_decode((hi + 1) / 2)

        # Lens and sensor: blur and integration over a pixel of lo are one strided convolution.
        unit = self.cfg.size_hi / 64
        half = int(self.HALF * unit)
        kernel = dragged_gaussian(p["defocus"] * unit, p["motion"] * unit, p["angle"], half)
        light = blur_and_integrate(light, kernel, self.cfg.size_hi // self.cfg.size_lo)
        colour = torch.cat([p["warmth"], p["tint"], -p["warmth"]], 1)
        light = light * 2 ** (p["exposure"] + colour)

        # Noise grows with light, and is there without it.
        waves = (z @ self.waves).cos().view(len(z), 4, *light.shape[1:])
        noise = waves.sum(1) / math.sqrt(2)
        light = light + (p["shot"] * light + p["read"] ** 2).sqrt() * noise

        # Tone, the last resizing.
        value = srgb_encode(ClipThrough.apply(light)).clamp(min=1e-4) ** p["gamma"]
        return smear(tone(value, p["contrast"]), p["smear"])


class CameraAndNetwork(LearnedCamera):
    """The learned camera, and the paper's network for what the camera cannot do.

    lo = JPEG(photo(hi, z) + r(hi, z) - mean of r), the mean taken over each picture and channel:
    the network may draw texture and must leave light and colour to the camera. It starts at 0.

    Args:
        cfg: as `LearnedCamera` and `HighToLow` read it.

    Source: ours, to ask what a network adds.
    """

    def __init__(self, cfg: RunConfig = PAPER):
        super().__init__(cfg)
        plain = cfg.replace(h2l_model="paper", jpeg="none", skip=False, domains=1)
        self.network = HighToLow(plain)
        for weights in self.network.head[-1].parameters():
            nn.init.zeros_(weights)

    def residual(self, hi: Tensor, z: Tensor) -> Tensor:
        """r of no mean colour, (B, 3, s, s), float32."""
        drawn = self.network(hi, z).float()
        return drawn - drawn.mean((2, 3), keepdim=True)


def dragged_gaussian(
    sigma: Tensor, length: Tensor, angle: Tensor, half: int, n_points: int = 9
) -> Tensor:
    """Blur kernels of a soft lens that moves: Gaussians dragged along a line.

    k(x) ~ mean over t in [-1/2, 1/2] of exp(-|x - t L u|^2 / (2 sigma^2))

    Args:
        sigma: (B, 1, 1, 1), pixels; below 0.3 it is finer than the grid and counts as 0.3.
        length: L, (B, 1, 1, 1), pixels.
        angle: of u, (B, 1, 1, 1), radians from the rows, downwards.
        half: half of the kernel's side.
        n_points: how many t stand for the line.

    Returns:
        (B, 1, k, k), k = 2 half + 1, each summing to 1.
    """
    axis = torch.arange(-half, half + 1, device=sigma.device).float()
    t = torch.linspace(-0.5, 0.5, n_points, device=sigma.device) * length.flatten(1)
    angle = angle.flatten(1)
    dy = axis - (t * angle.sin())[..., None]
    dx = axis - (t * angle.cos())[..., None]
    width = sigma.flatten(1)[..., None].clamp(min=0.3)
    down = torch.exp(-0.5 * (dy / width) ** 2)
    across = torch.exp(-0.5 * (dx / width) ** 2)
    kernel = torch.einsum("bny,bnx->byx", down, across)
    return (kernel / kernel.sum((1, 2), keepdim=True))[:, None]


def blur_and_integrate(light: Tensor, kernel: Tensor, step: int) -> Tensor:
    """Each picture blurred by its kernel, then averaged over squares, mirrored at the border.

    Args:
        light: (B, C, S, S).
        kernel: (B, 1, k, k).
        step: side of a square, pixels.

    Returns:
        (B, C, S / step, S / step).
    """
    box = light.new_full((1, 1, step, step), 1 / step**2)
    kernel = F.conv2d(kernel, box, padding=step - 1)
    half = (kernel.shape[-1] - step) // 2
    return own_kernels(F.pad(light, [half] * 4, mode="reflect"), kernel[:, 0], step)


def smear(x: Tensor, share: Tensor) -> Tensor:
    """Down the columns, then along the rows: 1 - share of a pixel, share / 2 of each neighbour.

    Args:
        x: (B, C, s, s).
        share: (B, 1, 1, 1); below 0 it sharpens.

    Returns:
        the same shape; the border's pixels are repeated outwards.
    """
    for dim, padding in ((2, [0, 0, 1, 1]), (3, [1, 1, 0, 0])):
        n = x.shape[dim]
        wide = F.pad(x, padding, mode="replicate")
        neighbours = wide.narrow(dim, 0, n) + wide.narrow(dim, 2, n)
        x = (1 - share) * x + share / 2 * neighbours
    return x


class ClipThrough(torch.autograd.Function):
    """Clipping to [0, 1] with the gradient of the identity."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        """x, clipped."""
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        """The gradient as it is."""
        return grad
