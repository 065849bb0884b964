"""What the paper and others report, with how sure it is known. To stand beside our numbers, never among them."""

from __future__ import annotations

from dataclasses import dataclass

SURE = {
    "A": "the authors' own figure or released code",
    "B": "two independent sources, or one that arithmetic confirms",
    "C": "one secondary source",
    "M": "remembered, unconfirmed: reported, not checked",
}
FID, PSNR = "FID, 3,000 real poor faces", "PSNR (dB), LS3D-W, bilinear"
# Why none of it compares with what this package measures.
PROTOCOL = (
    "other faces, Inception features, a reference taken from the training set, each result stretched to full "
    "contrast and saved as JPEG, enlarged bilinearly, the last incomplete batch dropped"
)


@dataclass(frozen=True)
class Reported:
    """A method's reported figures, each with its certainty (a key of SURE), and the cell here that is its kin."""

    method: str
    fid: float | None = None
    fid_sure: str = ""
    psnr: float | None = None
    psnr_sure: str = ""
    cell: str | None = None


REPORTED = (
    Reported("SRGAN", 104.80, "A", 23.19, "M", "srgan"),
    Reported("CycleGAN", 19.01, "A", 16.10, "M", "cyclegan"),
    Reported("DeepDeblur", 294.96, "M", 19.62, "M"),
    Reported("Wavelet-SRNet", 149.46, "M", 23.98, "M"),
    Reported("FSRNet", 157.29, "M", 19.45, "M"),
    Reported("the paper", 14.89, "A", 19.30, "A", "learned-gan"),
    Reported("Maeda, CVPR 2020, same data", 13.57, "B"),
)


def reported_table() -> str:
    """The reported figures as Markdown, with what the letters mean and why they stand apart."""
    lines = [f"| method | {FID} | sure | {PSNR} | sure |", "|---|---|---|---|---|"]
    for r in REPORTED:
        cells = [f"{v:.2f}" if v is not None else "" for v in (r.fid, r.psnr)]
        lines.append(f"| {r.method} | {cells[0]} | {r.fid_sure} | {cells[1]} | {r.psnr_sure} |")
    used = {s for r in REPORTED for s in (r.fid_sure, r.psnr_sure) if s}
    sure = "; ".join(f"**{k}** {v}" for k, v in SURE.items() if k in used)
    return "\n".join(
        [*lines, "", f"How sure: {sure}.", "", f"Not comparable with ours: {PROTOCOL}."]
    )
