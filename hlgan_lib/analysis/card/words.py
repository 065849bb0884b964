"""The card in words: sentences made from its numbers, so that they cannot say what was not measured."""

from __future__ import annotations

NO_TRUTH = "No truth is known of these poor pictures: compare with them only as a set."
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


def apart(a: dict, b: dict) -> int:
    """-1, 0 or 1: is a below b, within the intervals of both, or above?"""
    if a["ci"][0] > b["ci"][1]:
        return 1
    return -1 if a["ci"][1] < b["ci"][0] else 0


def verdicts(card: dict) -> list[str]:
    """One sentence for each property, from numbers and intervals alone; first, that no truth is known where none is."""
    ways, said = card["ways"], []
    learned, real = ways["learned"], ways["real"]
    whose = "the camera's" if card["about"]["truth"] else "the real pictures'"
    if not card["about"]["paired"]:
        said.append(NO_TRUTH)
    for name, what in SAID.items():
        if learned[name] is not None and real[name] is not None:
            said.append(f"{what}: {_compared(name, card, whose)}.")
    said += _as_sets(card, whose)
    z = card["z"]
    said.append(
        f"z: {z['words']}."
        if z["ignored"]
        else f"z is used: it moves a picture by {100 * z['z_spread']:.2g}% of its range (alarm below "
        f"{100 * z['threshold']:g}%)."
    )
    if card["directions"]:
        said.append(_controls(card["directions"]))
    return said


def _compared(name: str, card: dict, whose: str) -> str:
    """1.82 px against the camera's 2.42: less, 14% of the way from bilinear."""
    a, real, flat = (card["ways"][k][name] for k in ("learned", "real", "bilinear"))
    where = {0: "the same within the intervals", 1: "more", -1: "less"}[apart(a, real)]
    way = (
        (a["value"] - flat["value"]) / (real["value"] - flat["value"])
        if apart(real, flat)
        else None
    )
    unit = UNITS[name]
    return f"{a['value']:.3g} {unit} against {whose} {real['value']:.3g}: {where}" + (
        "" if way is None else f", {way:.0%} of the way from bilinear"
    )


def _as_sets(card: dict, whose: str) -> list[str]:
    """Spectrum, JPEG, and whether a classifier can tell."""
    learned, real, flat = (card["ways"][k] for k in ("learned", "real", "bilinear"))
    noise, kernel = (card["likeness"]["learned"][k] for k in ("noise curve", "kernel"))
    power, bare = (card["likeness"][k]["spectrum"] for k in ("learned", "bilinear"))
    said = [
        f"Spectrum: a factor of {power['value']:.2f} from {whose}, bilinear {bare['value']:.2f}."
    ]
    if noise:
        said.append(f"Noise over brightness: a factor of {noise['value']:.2f} from {whose}.")
    if alone := (card["drawn"] or {}).get("noise alone"):
        said[-1] = said[-1][:-1] + (
            f"; of the {real['left over (noise)']['value']:.3f} left over there, "
            f"{alone['value']:.3f} is noise alone, the rest JPEG, aliasing and smears."
        )
    if kernel:
        said.append(
            f"Kernel: {kernel['value']:.0%} of its weight lies elsewhere than in {whose}, of bilinear's "
            f"{card['likeness']['bilinear']['kernel']['value']:.0%}."
        )
    found, true = learned["JPEG grid found"], real["JPEG grid found"]
    said.append(
        f"JPEG: a block grid in {found['value']:.0%} of learned and {true['value']:.0%} of real pictures "
        f"(bilinear {flat['JPEG grid found']['value']:.0%}, all false); steps at its "
        f"edges {learned['block step']['value']:.3f} against {real['block step']['value']:.3f} (bilinear "
        f"{flat['block step']['value']:.3f}), colour detail {learned['chroma detail']['value']:.2f} against "
        f"{real['chroma detail']['value']:.2f} (bilinear {flat['chroma detail']['value']:.2f})."
    )
    tests = {k: card["distances"][k]["two_sample"] for k in ("learned", "bilinear", "floor")}
    said.append(
        f"A classifier tells learned from real in {tests['learned']['value']:.0%} of cases (bilinear "
        f"{tests['bilinear']['value']:.0%}, real from real {tests['floor']['value']:.0%}; guessing 50%)."
    )
    return said


def _controls(d: dict) -> str:
    """What each found direction of z moves most."""
    said = []
    for k, row in enumerate(d["table"]):
        best = max(range(len(row)), key=lambda i: abs(row[i]))
        if d["strength"][k] > d["chance"][k]:
            said.append(f"{k + 1} {d['names'][best]} (r = {row[best]:.2f})")
    return (
        "Directions of z control: " + (", ".join(said) if said else "nothing beyond chance") + "."
    )
