"""What a degradation does to pictures: spectrum, blur, noise, colour, JPEG, and who can tell."""

from .blur import BlurFit, Kernel, blur_fit, effective_kernel, probe_kernel
from .classifier import Confusion, TwoSample, confusion, two_sample
from .clusters import infer_domains, rand_index, with_domains
from .jpeg_traces import Grid, block_step, chroma_detail, jpeg_grid, measured_jpeg
from .noise_colour import Diversity, colour_gains, colour_shift, diversity, noise_curve, over_shots
from .spectrum import Curve, power_spectrum, statistics
from .z_directions import Directions, walk

__all__ = [
    "BlurFit",
    "Confusion",
    "Curve",
    "Directions",
    "Diversity",
    "Grid",
    "Kernel",
    "TwoSample",
    "block_step",
    "blur_fit",
    "chroma_detail",
    "colour_gains",
    "colour_shift",
    "confusion",
    "diversity",
    "effective_kernel",
    "infer_domains",
    "jpeg_grid",
    "measured_jpeg",
    "noise_curve",
    "over_shots",
    "power_spectrum",
    "rand_index",
    "probe_kernel",
    "statistics",
    "two_sample",
    "walk",
    "with_domains",
]
