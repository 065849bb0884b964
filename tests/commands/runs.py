"""Trainings of seconds, for tests of the commands."""


def train(stage, out, *flags):
    """Arguments of a training of seconds; l2h on bilinear."""
    more = ["--degradation", "bilinear"] if stage == "l2h" else []
    return ["train", stage, "--preset", "smoke", "--out", str(out), *more, *map(str, flags)]
