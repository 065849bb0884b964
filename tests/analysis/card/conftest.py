"""Two cards that the tests read: of the camera itself, and of users' own faces."""

import pytest
import torch

from hlgan_lib.analysis.card import degradation_card
from hlgan_lib.data.builtin import load_camera_params
from hlgan_lib.data.loading import load_faces
from hlgan_lib.networks.paper import HighToLow
from hlgan_lib.presets import preset

N = 44  # faces


@pytest.fixture(scope="session")
def faces():
    return tuple(side.batch(slice(0, N)) for side in load_faces("faces:val"))


@pytest.fixture(scope="session")
def of_camera(faces):
    """The best H2L there can be: the camera itself."""
    drawn = {k: torch.from_numpy(v[:N]) for k, v in load_camera_params("faces:val").items()}
    return degradation_card("camera", *faces, paired=True, truth="camera", drawn=drawn, n_boot=60)


@pytest.fixture(scope="session")
def own(faces):
    """Users' own faces: HR ones, and LR ones of other people; an H2L that ignores z."""
    torch.manual_seed(0)
    net = HighToLow(preset("smoke").replace(z_dim=4, h2l_model="paper"))
    with torch.no_grad():
        net.fc.weight.zero_()
    others = load_faces("faces:train-lo").batch(slice(0, 4 * 120, 4))
    return degradation_card(net, faces[0], others, paired=False, n_boot=40, n_z=24)
