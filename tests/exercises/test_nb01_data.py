"""The checks of notebook 01 against the reference and each likely mistake."""

import hlgan_lib as hl
from hlgan_lib.exercises import nb01_data

LO = hl.load_faces("faces:train-lo").batch(slice(0, None, 6))
DATASETS = {"brightness": "camera", "detail": "formula", "spread of detail": "camera"}


# check -> the reference, and mistake -> what its hint must say
CASES = {
    nb01_data.check_datasets: (
        nb01_data.measured_datasets,
        [
            (DATASETS | {"brightness": "formula"}, "leaves the light"),
            (DATASETS | {"detail": "camera"}, "Which one wins"),
            (DATASETS | {"spread of detail": "formula"}, "shaken next"),
        ],
    ),
    nb01_data.check_finest_detail: (
        lambda: nb01_data.finest_detail,
        [
            (lambda x: x.diff(dim=3).std((1, 2, 3)).log10(), "slow slope"),
            (lambda x: x.diff(dim=2).std((1, 2, 3)).log10(), "slow slope"),
            (lambda x: x.diff(dim=2).diff(dim=3).std().log10(), "one number for all pictures"),
            (lambda x: x.diff(dim=2).diff(dim=3).std((1, 2, 3)), "logarithm"),
        ],
    ),
    nb01_data.check_same_picture: (
        nb01_data.same_picture,
        [
            (LO.mean(), "one colour"),
            (LO.mean((0, 2, 3)), "one colour"),
            (LO.median(dim=0).values, "median"),
            (
                hl.degradations.bilinear(hl.load_faces("faces:train-hi").batch(slice(0, 800))).mean(
                    0
                ),
                "mean of the reduced HR faces",
            ),
            (LO.mean(1), "its shape is (800, 16, 16), and (3, 16, 16)"),
        ],
    ),
    nb01_data.check_stages: (
        lambda: list(nb01_data.STAGES),
        [
            (["light", "lens", "sensor", "tone", "noise", "JPEG"], "after the tone curve"),
            (["light", "sensor", "lens", "noise", "tone", "JPEG"], "in front of the sensor"),
            (["light", "lens", "noise", "sensor", "tone", "JPEG"], "pixels of the sensor"),
            (["light", "lens", "sensor", "noise", "JPEG", "tone"], "written last"),
            (["lens", "light", "sensor", "noise", "tone", "JPEG"], "before anything else"),
            (["light", "lens"], "wanted once"),
            ("light, lens", "wanted once"),
            (3, "wanted once"),
        ],
    ),
    nb01_data.check_harmless: (
        lambda: nb01_data.HARMLESS,
        [
            ({"flip", "rotate"}, "between pixels"),
            ({"zoom"}, "between pixels"),
            ({"flip", "recolour"}, "another camera's"),
            (set(), "computes nothing"),
            ("flip", "a set of some"),
            ({"blur"}, "a set of some"),
        ],
    ),
    nb01_data.check_to_float: (
        lambda: hl.data.to_float,
        [
            (lambda x: x / 255, "from 0 to 1"),
            (lambda x: 2 * x / 255 - 1, "bytes wrap"),
            (lambda x: x / 128 - 1, "half of 255"),
            (lambda x: x.float() / 127 - 1, "half of 255"),
            (lambda x: x // 127 - 1, "whole numbers"),
            (lambda x: None, "gives nothing back"),
        ],
    ),
}
