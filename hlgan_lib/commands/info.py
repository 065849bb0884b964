"""What `hlgan info` prints: this installation, its presets and weights; a preset field by field."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

from ..config import RunConfig, field_specs
from ..presets import PRESETS, differences, preset

PACKAGES = ("torch", "torchvision", "torchmetrics", "numpy", "pillow", "safetensors", "tyro")


def about() -> str:
    """Versions, device, presets and shipped weights."""
    import torch

    from .. import __version__
    from ..checkpoint import read_weights
    from ..inference import shipped_weights

    device = f"cpu, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        device = f"cuda, {torch.cuda.get_device_name()}"
    lines = [
        f"hlgan_lib {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        f"device: {device}",
        "",
        "presets:",
    ]
    lines += [f"  {name:8}{_size(cfg)}" for name, cfg in PRESETS.items()]
    lines += [
        "  hlgan info --preset P: its differences from paper, the source of every value",
        "",
        "shipped weights:",
    ]
    for name, path in shipped_weights().items():
        metadata = read_weights(path)[1]
        notes = {k: v for k, v in metadata.items() if k not in ("stage", "config")}
        width = json.loads(metadata["config"])[f"{metadata['stage']}_width"]
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        said = [f"{name}: stage {metadata['stage']}", f"width {width}", size]
        said += [f"{k} {v}" for k, v in notes.items()]
        lines.append(f"  {', '.join(said)}")
    if not shipped_weights():
        lines.append("  none")
    return "\n".join(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _size(cfg: RunConfig) -> str:
    return (
        f"h2l {cfg.h2l_steps:,} updates, l2h {cfg.l2h_steps:,}, joint {cfg.joint_steps:,}; "
        f"batch {cfg.batch}; widths h2l {cfg.h2l_width}, l2h {cfg.l2h_width}, d {cfg.d_width}"
    )


def about_preset(name: str) -> str:
    """The differences of a preset from `paper`, then every field: value, unit, source, meaning."""
    cfg, changed = preset(name), differences(preset(name))
    lines = [f"{name}: {len(changed)} differences from paper"]
    lines += [
        f"  {field:14}{own!s:>20}   paper: {paper}" for field, (paper, own) in changed.items()
    ]
    lines += ["", "every field: value [unit], source of the paper preset's value: meaning"]
    for field, spec in field_specs().items():
        origin = f"{spec.source} ({spec.why})" if spec.why else spec.source
        lines.append(
            f"  {field:14}{getattr(cfg, field)!s:>20} [{spec.unit}], {origin}: {spec.meaning}"
        )
    return "\n".join(lines)
