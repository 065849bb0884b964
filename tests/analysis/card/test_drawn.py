"""What the camera drew, beside what is measured of its shots."""

import torch

from hlgan_lib.analysis.card.drawn import of_camera
from hlgan_lib.analysis.card.numbers import of_pairs
from hlgan_lib.data.builtin import load_camera_params

N = 44


def drawn():
    return {k: torch.from_numpy(v[:N]) for k, v in load_camera_params("faces:val").items()}


def test_the_truth_of_the_camera_is_followed_by_what_is_measured(faces):
    table = of_camera(drawn(), of_pairs(*faces), faces[0], 16, 40)
    ev = drawn()["exposure_ev"].double() + drawn()["white_balance"].double().log2() @ (
        torch.tensor([0.25, 0.5, 0.25]).double()
    )
    assert abs(table["exposure"]["spread"].value - ev.std()) < 1e-6
    for name, least in (("exposure", 0.7), ("warmth", 0.8), ("tint", 0.4)):
        r = table[name]["correlation"]
        assert least < r.value < 1 and r.interval[0] < r.value < r.interval[1] and r.n == N
    assert list(table) == ["exposure", "warmth", "tint", "noise alone", "noise curve"]


def test_measurements_of_other_faces_follow_nothing(faces):
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    others = {name: values[order] for name, values in of_pairs(*faces).items()}
    table = of_camera(drawn(), others, faces[0], 16, 40)
    assert all(abs(table[name]["correlation"].value) < 0.4 for name in ("exposure", "warmth"))


def test_noise_alone_grows_with_the_read_noise_that_was_drawn(faces):
    real = of_pairs(*faces)
    loud = drawn() | {"read_sigma": drawn()["read_sigma"] * 4}
    quiet, noisy = (of_camera(d, real, faces[0], 16, 10) for d in (drawn(), loud))
    assert noisy["noise alone"].value > 1.2 * quiet["noise alone"].value
    assert len(quiet["noise curve"]["x"]) == len(quiet["noise curve"]["y"]) == 8
