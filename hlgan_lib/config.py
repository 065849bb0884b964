"""One frozen configuration for all stages.

Every field says what it means, its unit and bounds, where it comes from, and which stages read it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .errors import HLError
from .schema import Misfit, checked
from .spec import Spec

STAGES = ("h2l", "l2h", "joint", "srgan", "cyclegan", "flow", "semicycle", "pseudo")
RESTORING = ("l2h", "joint", "semicycle", "pseudo")  # stages that train an L2H


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a training run but its data.

    The defaults are the paper, to the letter where known. Raises HLError for a value out of bounds.
    """

    # Images and networks
    size_hi: Annotated[
        int, Spec("side of the HR images", "pixels", "paper", low=8, power_of_two=True)
    ] = 64
    size_lo: Annotated[
        int, Spec("side of the LR images", "pixels", "paper", low=8, power_of_two=True)
    ] = 16
    h2l_model: Annotated[
        Literal["paper", "camera", "camera+network", "kernel+noise"],
        Spec(
            "what H2L is: the paper's network; a small differentiable camera whose numbers z "
            "chooses; that camera and a network that draws what it lacks; or a blur kernel and a "
            "noise that networks draw",
            "name",
            "paper",
            "the cameras are ours; kernel+noise: 2203.04962",
            readers=("h2l", "joint"),
        ),
    ] = "paper"
    h2l_law: Annotated[
        Literal["plain", "adaptive"],
        Spec(
            "learned camera: is the law of its numbers the same for every image (plain), or do its "
            "means and spreads follow light, colour and contrast of the HR image (adaptive)",
            "name",
            "ours",
            "adaptive noise; linear, and none at the start",
            readers=("h2l", "joint"),
        ),
    ] = "plain"
    h2l_width: Annotated[
        int,
        Spec(
            "channels of H2L, the same at every size",
            "channels",
            "released code",
            low=1,
            readers=("h2l", "joint", "semicycle"),
        ),
    ] = 64
    l2h_model: Annotated[
        Literal["paper", "wavelet", "deepdeblur"],
        Spec(
            "what L2H is, with its losses: the paper's; Wavelet-SRNet, which predicts wavelet "
            "packets; or DeepDeblur, which restores a small image first",
            "name",
            "paper",
            "the paper's other baselines, ICCV 2017 and 1612.02177",
            readers=("l2h",),
        ),
    ] = "paper"
    l2h_width: Annotated[
        int,
        Spec(
            "channels of L2H at the size of `lo`; each doubling of the size halves them",
            "channels",
            "released code",
            low=1,
            readers=RESTORING,
        ),
    ] = 256
    d_width: Annotated[
        int, Spec("channels of the discriminators", "channels", "released code", low=1)
    ] = 128
    srgan_width: Annotated[
        int,
        Spec(
            "channels of SRGAN's generator",
            "channels",
            "ours",
            "1609.04802",
            low=1,
            readers=("srgan",),
        ),
    ] = 64
    cyclegan_width: Annotated[
        int,
        Spec(
            "channels of CycleGAN's generators at full size; four times as many at a quarter of it",
            "channels",
            "ours",
            "1703.10593",
            low=1,
            readers=("cyclegan",),
        ),
    ] = 64
    flow_width: Annotated[
        int,
        Spec(
            "channels of the flow's U-Net at the size of `lo`; twice as many at half of it",
            "channels",
            "ours",
            low=1,
            readers=("flow",),
        ),
    ] = 128
    n_euler: Annotated[
        int,
        Spec(
            "Euler steps of the flow from noise to an image",
            "steps",
            "ours",
            low=2,
            readers=("flow",),
        ),
    ] = 12
    z_dim: Annotated[
        int,
        Spec(
            "length of the noise vector of H2L", "numbers", "paper", low=1, readers=("h2l", "joint")
        ),
    ] = 64
    z_input: Annotated[
        Literal["concat", "none"],
        Spec(
            "does z enter H2L: as a fourth input channel of the network, as the numbers of the "
            "camera (concat), or not at all (none)",
            "name",
            "paper",
            readers=("h2l", "joint"),
        ),
    ] = "concat"
    domains: Annotated[
        int,
        Spec(
            "LR domains, a folder of `lo` each, of which the learned camera has a law each and "
            "its discriminator a projection",
            "domains",
            "ours",
            "the projection: 1802.05637",
            low=1,
            readers=("h2l", "joint"),
        ),
    ] = 1
    domain_labels: Annotated[
        Literal["folders", "inferred"],
        Spec(
            "with several domains, whose each LR picture is: its folder's, or inferred of its "
            "light, colour, detail, noise and JPEG",
            "name",
            "ours",
            readers=("h2l", "joint"),
        ),
    ] = "folders"
    norm: Annotated[
        Literal["batch", "none"], Spec("normalisation in the generators", "name", "released code")
    ] = "batch"
    order: Annotated[
        Literal["pre", "post"],
        Spec(
            "order inside a residual block: activation before (pre) or after "
            "(post) the convolution",
            "name",
            "released code",
            "post is the released H2L; readers of the paper note pre",
        ),
    ] = "pre"
    down: Annotated[
        Literal["conv", "avg", "max"],
        Spec(
            "how H2L halves the size: strided convolution or pooling",
            "name",
            "released code",
            "the text is remembered as pooling",
            readers=("h2l", "joint", "semicycle"),
        ),
    ] = "conv"
    down_first: Annotated[
        bool,
        Spec(
            "halve before the blocks of an encoder group instead of after them; a quarter of "
            "the arithmetic",
            "yes/no",
            "ours",
            "the paper leaves it open",
            readers=("h2l", "joint", "semicycle"),
        ),
    ] = False
    d_pool: Annotated[
        Literal["avg", "max"],
        Spec(
            "pooling in the discriminators",
            "name",
            "released code",
            "average in two codes, max in a third",
        ),
    ] = "avg"
    d_norm: Annotated[
        Literal["spectral", "none"], Spec("normalisation of the discriminators", "name", "paper")
    ] = "spectral"
    skip: Annotated[
        bool,
        Spec(
            "shortcuts: a generator adds to its resized input (inside the tanh) instead of drawing "
            "the whole image, and H2L's decoder adds the encoder's features of its size",
            "yes/no",
            "ours",
            "keeps colours and detail and learns in far fewer images",
        ),
    ] = False
    jpeg: Annotated[
        Literal["none", "measured"],
        Spec(
            "what the paper's H2L passes last: nothing, or a JPEG whose qualities were measured "
            "of the LR photographs; the learned camera always has the latter",
            "name",
            "ours",
            "no network of minutes learns to draw blocks",
            readers=("h2l", "joint"),
        ),
    ] = "none"
    separate: Annotated[
        bool,
        Spec(
            "frequency separation in H2L's loss: pixels hold the low frequencies, "
            "the discriminator sees the high ones alone",
            "yes/no",
            "ours",
            "1911.07850",
            readers=("h2l", "joint"),
        ),
    ] = False
    n_near: Annotated[
        int,
        Spec(
            "LR images made of each face of a pair, of which one is taken that could be real; "
            "1 takes what comes",
            "images",
            "ours",
            "sampling-importance resampling",
            low=1,
            readers=("l2h", "srgan", "flow", "semicycle", "pseudo"),
        ),
    ] = 1
    # Losses
    w_pix: Annotated[
        float, Spec("alpha, the weight of the pixel loss", "weight", "paper", low=0)
    ] = 1.0
    w_gan: Annotated[
        float,
        Spec(
            "beta, the weight of the GAN loss; 0 trains pixel-only, without a discriminator",
            "weight",
            "paper",
            low=0,
        ),
    ] = 0.05
    gan_loss: Annotated[
        Literal["hinge", "relativistic"],
        Spec(
            "the GAN loss: hinge, or each generated image against the real one beside it",
            "name",
            "paper",
            "relativistic: 2501.05441, which has it with w_r1 and w_r2 and d_norm none",
            readers=("h2l", *RESTORING),
        ),
    ] = "hinge"
    w_stats: Annotated[
        float,
        Spec(
            "learned camera: weight, beside the GAN loss, of the energy distance between "
            "statistics of generated and of real LR pictures",
            "weight",
            "ours",
            "holds it where LR pictures are few",
            low=0,
            readers=("h2l", "joint"),
        ),
    ] = 0.05
    w_r1: Annotated[
        float,
        Spec(
            "weight of the R1 gradient penalty of the discriminators",
            "weight",
            "ours",
            "1801.04406",
            low=0,
        ),
    ] = 0.0
    w_r2: Annotated[
        float,
        Spec(
            "weight of the R2 gradient penalty: R1 on generated images",
            "weight",
            "ours",
            "2501.05441",
            low=0,
        ),
    ] = 0.0
    penalty_every: Annotated[
        int,
        Spec(
            "updates of a discriminator from one R1 or R2 penalty to the next, which weighs as "
            "many times as much",
            "updates",
            "ours",
            "lazy regularisation, 1912.04958",
            low=1,
        ),
    ] = 1
    w_perceptual: Annotated[
        float,
        Spec(
            "SRGAN: weight of the perceptual loss",
            "weight",
            "ours",
            "so that it equals the pixel loss in size",
            low=0,
            readers=("srgan",),
        ),
    ] = 0.1
    perceptual: Annotated[
        Literal["vgg19", "lite0"],
        Spec(
            "SRGAN: whose feature maps the perceptual loss compares; vgg19 is a download",
            "name",
            "ours",
            "1609.04802",
            readers=("srgan",),
        ),
    ] = "vgg19"
    w_gan_srgan: Annotated[
        float,
        Spec(
            "SRGAN: weight of its GAN loss",
            "weight",
            "ours",
            "1609.04802",
            low=0,
            readers=("srgan",),
        ),
    ] = 1e-3
    w_cycle: Annotated[
        float,
        Spec(
            "CycleGAN: weight of the cycle loss beside a GAN loss of weight 1",
            "weight",
            "ours",
            "1703.10593",
            low=0,
            readers=("cyclegan",),
        ),
    ] = 10.0
    w_identity: Annotated[
        float,
        Spec(
            "CycleGAN: weight of the identity loss",
            "weight",
            "ours",
            "1703.10593",
            low=0,
            readers=("cyclegan",),
        ),
    ] = 5.0
    w_real: Annotated[
        float,
        Spec(
            "semi-cycle: weight of what real LR images say to L2H, beside the pairs",
            "weight",
            "ours",
            "2205.03777, its gamma",
            low=0,
            readers=("semicycle",),
        ),
    ] = 0.05
    d_aug: Annotated[
        bool,
        Spec(
            "DiffAugment on what the discriminators see: translation and cutout",
            "yes/no",
            "ours",
            "2006.10738",
        ),
    ] = False
    # Optimisation
    batch: Annotated[
        int,
        Spec(
            "images in a batch, at least two as the log measures how they differ",
            "images",
            "paper",
            low=2,
        ),
    ] = 64
    h2l_steps: Annotated[
        int,
        Spec(
            "length of an H2L training",
            "generator updates",
            "paper",
            "200 epochs of 182,866 faces in batches of 64",
            low=1,
            readers=("h2l",),
        ),
    ] = 571_456
    l2h_steps: Annotated[
        int,
        Spec("length of an L2H training", "generator updates", "paper", low=1, readers=("l2h",)),
    ] = 571_456
    srgan_steps: Annotated[
        int,
        Spec(
            "length of an SRGAN training",
            "generator updates",
            "ours",
            "as L2H",
            low=1,
            readers=("srgan",),
        ),
    ] = 571_456
    cyclegan_steps: Annotated[
        int,
        Spec(
            "length of a CycleGAN training",
            "generator updates",
            "ours",
            "as L2H",
            low=1,
            readers=("cyclegan",),
        ),
    ] = 571_456
    flow_steps: Annotated[
        int,
        Spec(
            "length of a flow's training",
            "generator updates",
            "ours",
            "as L2H",
            low=1,
            readers=("flow",),
        ),
    ] = 571_456
    semicycle_steps: Annotated[
        int,
        Spec(
            "length of a semi-cycle training",
            "generator updates",
            "ours",
            "as L2H",
            low=1,
            readers=("semicycle",),
        ),
    ] = 571_456
    pseudo_steps: Annotated[
        int,
        Spec(
            "length of a training with pseudo-supervision",
            "generator updates",
            "ours",
            "as L2H",
            low=1,
            readers=("pseudo",),
        ),
    ] = 571_456
    joint_steps: Annotated[
        int,
        Spec(
            "length of the joint fine-tune", "generator updates", "paper", low=1, readers=("joint",)
        ),
    ] = 2_000
    d_steps: Annotated[
        int, Spec("discriminator updates for each generator update", "updates", "paper", low=1)
    ] = 5
    lr: Annotated[
        float, Spec("learning rate of the generators (Adam)", "per update", "paper", low=0)
    ] = 1e-4
    lr_d: Annotated[
        float,
        Spec(
            "learning rate of the discriminators; 0 means the same as lr",
            "per update",
            "ours",
            "TTUR, 1706.08500",
            low=0,
        ),
    ] = 0.0
    lr_d_hi: Annotated[
        float,
        Spec(
            "learning rate of discriminators of HR images; 0 means the same as lr_d",
            "per update",
            "ours",
            "at 64 pixels spectral norm leaves it slower",
            low=0,
            readers=(*RESTORING, "srgan", "cyclegan"),
        ),
    ] = 0.0
    beta1: Annotated[float, Spec("Adam's first moment", "decay", "paper", low=0, below=1)] = 0.0
    beta2: Annotated[float, Spec("Adam's second moment", "decay", "paper", low=0, below=1)] = 0.9
    lr_schedule: Annotated[
        Literal["constant", "cosine"],
        Spec("learning rate over the run; cosine falls to a tenth", "name", "paper"),
    ] = "constant"
    ema: Annotated[
        float,
        Spec(
            "memory of the generator's weight average; 0 keeps none",
            "fraction of the run",
            "ours",
            "1806.04498; tied to the run's length",
            low=0,
        ),
    ] = 0.0
    # Augmentation (of `hi`; a pair shares it; `lo` is only flipped)
    flip: Annotated[bool, Spec("mirror images at random", "yes/no", "paper")] = True
    scale: Annotated[
        float,
        Spec("random zoom", "+- fraction", "paper", "remembered, amount ours", low=0, below=1),
    ] = 0.1
    rotate_deg: Annotated[
        float, Spec("random rotation", "+- degrees", "paper", "remembered, amount ours", low=0)
    ] = 10.0
    shift: Annotated[float, Spec("random shift", "+- fraction of the side", "ours", low=0)] = 0.0
    colour: Annotated[
        float,
        Spec(
            "random brightness, contrast and saturation",
            "+- fraction",
            "paper",
            "remembered, amount ours",
            low=0,
            below=1,
        ),
    ] = 0.1
    # Data
    n_hi: Annotated[
        int,
        Spec("HR images used, evenly spaced over the dataset; 0 uses all", "images", "ours", low=0),
    ] = 0
    n_lo: Annotated[
        int,
        Spec(
            "LR images used, evenly spaced over the dataset; 0 uses all",
            "images",
            "ours",
            low=0,
            readers=("h2l", "joint", "cyclegan", "semicycle", "pseudo"),
        ),
    ] = 0
    # Machine
    amp: Annotated[
        Literal["auto", "off", "bf16", "fp16"],
        Spec(
            "mixed precision; auto probes what pays on the device, off is float32",
            "name",
            "ours",
        ),
    ] = "off"
    channels_last: Annotated[
        bool,
        Spec(
            "memory layout of the networks, kept where a probe does not find it slower",
            "yes/no",
            "ours",
        ),
    ] = False
    compile: Annotated[bool, Spec("torch.compile the networks", "yes/no", "ours")] = False
    cuda_graphs: Annotated[
        bool,
        Spec("replay an update as one CUDA graph; one GPU, not cyclegan", "yes/no", "ours"),
    ] = True
    seed: Annotated[
        int, Spec("seed of weights, sampling and noise", "number", "ours", low=0, below=2**32)
    ] = 0
    # Bookkeeping
    n_val: Annotated[
        int,
        Spec(
            "images held out of each dataset to choose best.pt; at most a fifth of it",
            "images",
            "ours",
            low=0,
        ),
    ] = 256
    tick_images: Annotated[
        int,
        Spec(
            "between two ticks: a log line, a progress update", "images", "ours", low=1, readers=()
        ),
    ] = 6_400
    save_images: Annotated[
        int,
        Spec(
            "between two checkpoints with validation and samples",
            "images",
            "ours",
            low=1,
            readers=(),
        ),
    ] = 320_000

    def __post_init__(self) -> None:
        for name, spec in field_specs().items():
            spec.check(name, getattr(self, name))
        # What two fields must agree on.
        if self.size_lo >= self.size_hi:
            raise HLError(
                f"size_lo must be smaller than size_hi ({self.size_hi}), got {self.size_lo}"
            )
        if self.has_jpeg and self.z_dim < 4:
            raise HLError(
                f"z_dim must be 4 or more where H2L has a JPEG (four numbers choose it), got "
                f"{self.z_dim}"
            )
        if self.h2l_law == "adaptive" and not self.is_camera:
            raise HLError(
                f"h2l_law must be plain with h2l_model {self.h2l_model}, got adaptive: the law is "
                "the learned camera's, set h2l_model camera"
            )
        if self.domains > 1 and not self.is_camera:
            raise HLError(
                f"domains must be 1 with h2l_model {self.h2l_model}, got {self.domains}: a law a "
                "domain is the learned camera's, set h2l_model camera"
            )
        if self.domains > 1 and (self.batch % self.domains or self.batch < 2 * self.domains):
            raise HLError(
                f"batch must hold as many pictures, two or more, of each of {self.domains} "
                f"domains, got {self.batch}: set batch {2 * self.domains} or a multiple of "
                f"{self.domains} above it"
            )
        if self.separate and self.is_camera:
            raise HLError(
                f"separate must be no with h2l_model {self.h2l_model}: a learned camera has no "
                "pixel loss, and D must see its colours"
            )
        if self.w_pix == 0 and self.w_gan == 0:
            raise HLError("w_pix and w_gan are both 0: nothing would be trained; set one of them")
        if self.w_pix == 0 and self.l2h_model == "wavelet":
            raise HLError(
                "w_pix must be above 0 with l2h_model wavelet, got 0: the loss of its wavelets is "
                "all that it is trained on"
            )

    replace = dataclasses.replace

    @property
    def has_jpeg(self) -> bool:
        """Does H2L's image pass a JPEG that is measured of the LR photographs?"""
        return self.is_camera or self.jpeg == "measured"

    @property
    def is_camera(self) -> bool:
        """Is H2L a learned camera, with or without a network?"""
        return self.h2l_model in ("camera", "camera+network")

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, for JSON and for the metadata of weights."""
        return dataclasses.asdict(self)


@cache
def field_specs() -> dict[str, Spec]:
    """The `Spec` of every field, by name."""
    hints = get_type_hints(RunConfig, include_extras=True)
    specs = {}
    for f in dataclasses.fields(RunConfig):
        kind, spec = get_args(hints[f.name])  # of Annotated[kind, spec]
        spec.kind = kind
        if get_origin(kind) is Literal:
            spec.choices = get_args(kind)
        specs[f.name] = spec
    return specs


def reads(stage: str, name: str) -> bool:
    """Does the field called `name` decide weights of this stage?"""
    readers = field_specs()[name].readers
    return readers is None or stage in readers


# What earlier versions had for H2L's training, and the value at which it did nothing.
_GONE = {"w_z": 0.0, "w_coarse": 0.0, "d_opponent": False}


def gone(values: dict[str, Any], stage: str) -> list[str]:
    """Fields of a stored run that shaped its training and that this version no longer has."""
    if stage not in ("h2l", "joint"):
        return []
    return [name for name, off in _GONE.items() if values.get(name, off) != off]


def from_dict(values: dict[str, Any], stage: str = "h2l") -> RunConfig:
    """The configuration of a stored network, from its `as_dict`.

    What an earlier version trained H2L with (`gone`) is left out: it decides no network.

    Args:
        values: field -> value.
        stage: of the network; what the others read is not looked at where it has gone.

    Raises:
        HLError: for a field or a network that this version does not know, or a value out of bounds.
    """
    values = {name: value for name, value in values.items() if name not in _GONE}
    unknown = set(values) - set(field_specs())
    if unknown:
        raise HLError(
            f"the stored configuration has unknown fields {sorted(unknown)}: it was made by "
            "another version"
        )
    z_inputs = field_specs()["z_input"].choices
    if values.get("z_input", "concat") not in z_inputs:
        if stage in ("h2l", "joint") and values.get("h2l_model", "paper") != "camera":
            raise HLError(
                f"the stored network has z_input {values['z_input']!r}, which this version no "
                f"longer has ({', '.join(z_inputs)}): train it anew"
            )
        values["z_input"] = "concat"
    try:
        return checked(values, RunConfig, "config")
    except Misfit as error:
        raise HLError(f"the stored configuration is damaged: {error}") from error
