"""The card in words: sentences made from its numbers, so that they say nothing unmeasured."""

from __future__ import annotations

NO_TRUTH = "No ground truth is known for these LR pictures: compare with them only as a set."
UNITS = {
    "blur width": "px",
    "left over (noise)": "of full scale",
    "blur variety": "px",
    "exposure variety": "stops",
    "warmth variety": "stops",
    "tint variety": "stops",
    "kernel width": "px",
    "spread over draws": "of full scale",
}
SAID = {
    "blur width": "Blur",
    "left over (noise)": "Noise",
    "blur variety": "Variety of blur",
    "exposure variety": "Variety of exposure",
    "warmth variety": "Variety of warmth",
    "tint variety": "Variety of tint",
    "kernel width": "Width of the kernel",
    "spread over draws": "Spread over z",
}
COMPARED = {0: "the same within the intervals", 1: "more", -1: "less"}


def apart(a: dict, b: dict) -> int:
    """-1, 0 or 1: is a below b, within the intervals of both, or above?

    Args:
        a: a number of the card, as JSON has it: "value" and "ci".
        b: another.

    Returns:
        -1, 0 or 1.
    """
    if a["ci"][0] > b["ci"][1]:
        return 1
    return -1 if a["ci"][1] < b["ci"][0] else 0


def verdicts(card: dict) -> list[str]:
    """One sentence for each property, from numbers and intervals alone.

    The first says that no ground truth is known, where none is.
    """
    learned, real = card["ways"]["learned"], card["ways"]["real"]
    whose = "the camera's" if card["about"]["truth"] else "the real pictures'"
    said = []
    if not card["about"]["paired"]:
        said.append(NO_TRUTH)
    for name, what in SAID.items():
        if learned[name] is not None and real[name] is not None:
            said.append(f"{what}: {_compared(name, card, whose)}.")
    said += _as_sets(card, whose)
    said.append(_use_of_z(card["z"]))
    if card["directions"]:
        said.append(_controls(card["directions"]))
    return said


def _compared(name: str, card: dict, whose: str) -> str:
    """1.82 px against the camera's 2.42: less, 14% of the way from bilinear."""
    learned, real, bilinear = (card["ways"][k][name] for k in ("learned", "real", "bilinear"))
    where = COMPARED[apart(learned, real)]
    said = f"{learned['value']:.3g} {UNITS[name]} against {whose} {real['value']:.3g}: {where}"
    if not apart(real, bilinear):
        return said
    gone = learned["value"] - bilinear["value"]
    way = gone / (real["value"] - bilinear["value"])
    return f"{said}, {way:.0%} of the way from bilinear"


def _as_sets(card: dict, whose: str) -> list[str]:
    """Spectrum, noise and kernel, JPEG, and whether a classifier can tell."""
    learned, bilinear = card["likeness"]["learned"], card["likeness"]["bilinear"]
    power, of_bilinear = learned["spectrum"]["value"], bilinear["spectrum"]["value"]
    said = [f"Spectrum: a factor of {power:.2f} from {whose}, bilinear {of_bilinear:.2f}."]
    if learned["noise curve"]:
        said.append(_noise(card, whose))
    if learned["kernel"]:
        moved, of_bilinear = learned["kernel"]["value"], bilinear["kernel"]["value"]
        said.append(
            f"Kernel: {moved:.0%} of its weight lies elsewhere than in {whose}, "
            f"of bilinear's {of_bilinear:.0%}."
        )
    return [*said, _jpeg(card), _told_apart(card)]


def _noise(card: dict, whose: str) -> str:
    factor = card["likeness"]["learned"]["noise curve"]["value"]
    said = f"Noise over brightness: a factor of {factor:.2f} from {whose}"
    alone = (card["drawn"] or {}).get("noise alone")
    if not alone:
        return f"{said}."
    left_over = card["ways"]["real"]["left over (noise)"]["value"]
    return (
        f"{said}; of the {left_over:.3f} left over there, {alone['value']:.3f} is noise alone, "
        "the rest JPEG, aliasing and smears."
    )


def _jpeg(card: dict) -> str:
    names = ("JPEG grid found", "block step", "chroma detail")
    ways = card["ways"]
    learned = [ways["learned"][name]["value"] for name in names]
    real = [ways["real"][name]["value"] for name in names]
    bilinear = [ways["bilinear"][name]["value"] for name in names]
    return (
        f"JPEG: a block grid in {learned[0]:.0%} of learned and {real[0]:.0%} of real pictures "
        f"(bilinear {bilinear[0]:.0%}, all false); "
        f"steps at its edges {learned[1]:.3f} against {real[1]:.3f} (bilinear {bilinear[1]:.3f}), "
        f"colour detail {learned[2]:.2f} against {real[2]:.2f} (bilinear {bilinear[2]:.2f})."
    )


def _told_apart(card: dict) -> str:
    sets = card["distances"]
    learned, bilinear, floor = (
        sets[name]["two_sample"]["value"] for name in ("learned", "bilinear", "floor")
    )
    return (
        f"A classifier tells learned from real in {learned:.0%} of cases "
        f"(bilinear {bilinear:.0%}, real from real {floor:.0%}; guessing 50%)."
    )


def _use_of_z(z: dict) -> str:
    if z["ignored"]:
        return f"z: {z['words']}."
    moved, alarm = 100 * z["z_spread"], 100 * z["threshold"]
    return f"z is used: it moves a picture by {moved:.2g}% of its range (alarm below {alarm:g}%)."


def _controls(directions: dict) -> str:
    """What each found direction of z moves most."""
    said = []
    for k, row in enumerate(directions["table"]):
        if directions["strength"][k] > directions["chance"][k]:
            r = max(row, key=abs)
            said.append(f"{k + 1} {directions['names'][row.index(r)]} (r = {r:.2f})")
    what = ", ".join(said) if said else "nothing beyond chance"
    return f"Directions of z control: {what}."
