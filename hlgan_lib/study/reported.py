"""What the paper and others report, and how sure it is: beside our numbers, never among them."""

from __future__ import annotations

from dataclasses import dataclass

SURE = {
    "A": "the authors' own figure or released code",
    "B": "two independent sources, or one that arithmetic confirms",
}
FID, PSNR = "FID, 3,000 real LR faces", "PSNR (dB), LS3D-W, bilinear"
LEFT_OUT = (
    "The paper's other figures (DeepDeblur, Wavelet-SRNet, FSRNet; PSNR of its baselines) could "
    "not be checked here and are left out: see its tables."
)
# Why none of it compares with what this package measures.
PROTOCOL = (
    "other faces, Inception features, a reference taken from the training set, each result "
    "stretched to full contrast and saved as JPEG, enlarged bilinearly, the last incomplete "
    "batch dropped"
)


@dataclass(frozen=True)
class Reported:
    """A method's reported figures, each with its certainty (of SURE); our cell of its kind."""

    method: str
    fid: float | None = None
    fid_sure: str = ""
    psnr: float | None = None
    psnr_sure: str = ""
    cell: str | None = None


REPORTED = (
    Reported("SRGAN", 104.80, "A", cell="srgan"),
    Reported("CycleGAN", 19.01, "A", cell="cyclegan"),
    Reported("the paper", 14.89, "A", 19.30, "A", "learned-gan"),
    Reported("Maeda, CVPR 2020, same data", 13.57, "B"),
)


def reported_table() -> str:
    """The reported figures as Markdown, with what the letters mean and why they stand apart."""
    lines = [f"| method | {FID} | sure | {PSNR} | sure |", "|---|---|---|---|---|"]
    for r in REPORTED:
        fid = "" if r.fid is None else f"{r.fid:.2f}"
        psnr = "" if r.psnr is None else f"{r.psnr:.2f}"
        lines.append(f"| {r.method} | {fid} | {r.fid_sure} | {psnr} | {r.psnr_sure} |")
    sure = "; ".join(f"**{letter}** {words}" for letter, words in SURE.items())
    lines += ["", f"How sure: {sure}. {LEFT_OUT}", "", f"Not comparable with ours: {PROTOCOL}."]
    return "\n".join(lines)
